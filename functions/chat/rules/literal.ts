// Step 1: what stands in quotation marks is taken literally. Each quotation is replaced by one character of Unicode's private use area,
// so that no later step can look into it, and put back at the end.

const FIRST = 0xe000
const PRIVATE = /[\ue000-\uf8ff]/gu
/**
 * An apostrophe opens a quotation only where no word goes on, and closes one only where none begins. No quotation contains its own opening
 * mark, and one in apostrophes at most 20 of them: a mark without an end then costs a look at what follows up to the next one, no more.
 */
const QUOTATION =
  /"([^"]*)"|“([^“”]*)”|„([^„“”]*)[“”]|«([^«»]*)»|`([^`]*)`|(?<![\p{L}\p{N}])['‘]([^'‘’\n]+(?:['’](?=[\p{L}\p{N}])[^'‘’\n]*){0,20})['’](?![\p{L}\p{N}])/gu

export type Masked = { text: string; unmask: (text: string) => string }

export function maskQuotations(message: string): Masked {
  const quotations: string[] = []
  const masked = message.replace(PRIVATE, '').replace(QUOTATION, (whole, ...groups: (string | undefined)[]) => {
    const inside = groups
      .slice(0, 6)
      .find((group) => group !== undefined)
      ?.trim()
    if (!inside || quotations.length >= 100) return whole
    quotations.push(inside)
    return String.fromCharCode(FIRST + quotations.length - 1)
  })
  // Runs of blanks say nothing, and cost patterns dearly.
  const text = masked.replace(/[^\S\n]+/g, ' ').trim()
  return { text, unmask: (part) => part.replace(PRIVATE, (mark) => quotations[mark.charCodeAt(0) - FIRST] ?? '') }
}

/** Whether a text is one quotation and nothing else. */
export const isQuotation = (text: string) => /^[\ue000-\uf8ff]$/u.test(text.trim())
/** Matches one masked quotation, for use in other expressions. */
export const MARK = '[\\ue000-\\uf8ff]'
