// Numbers from samples: the bench shows medians and how far the samples lie apart, never a mean.

/** The value below which a share of them lies; 0.5 is the median. NaN of none. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN
}

export const median = (values: readonly number[]) => quantile(values, 0.5)

/** `12.3 ms (11.8 to 14.0)`: the median, and where the middle four fifths lie. */
export function spread(values: readonly number[], unit: string, digits = 0): string {
  const [low, middle, high] = [0.1, 0.5, 0.9].map((share) => quantile(values, share).toFixed(digits))
  return `${middle} ${unit} (${low} to ${high})`
}
