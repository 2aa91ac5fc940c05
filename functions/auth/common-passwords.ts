// The most common passwords: an attacker tries these first, so a new account may have none of them (NIST SP 800-63B, section 5.1.1.2).

let list: Promise<ReadonlySet<string>> | undefined

/** Whether the list has the password, in any case. The first call loads the list: a process that registers no account needs none. */
export async function isCommon(password: string): Promise<boolean> {
  list ??= load()
  return (await list).has(password.toLowerCase())
}

async function load(): Promise<ReadonlySet<string>> {
  const { dictionary } = await import('@zxcvbn-ts/language-common')
  return new Set(dictionary['passwords-common'].map((password) => password.toLowerCase()))
}
