export async function interpret(_a: unknown, _m: string): Promise<{ text: string; state: object }> {
  return { text: '', state: {} }
}
