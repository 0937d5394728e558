/**
 * A topic pattern is a topic in which `*` stands for any run of characters, the empty one and dots included
 * (the reference contract's meaning): `order.*` matches `order.paid` and `order.item.added`, `*` everything.
 * Compiled without regular expressions, so that no pattern can be made slow.
 */
export function compileTopicPattern(pattern: string): (topic: string) => boolean {
  if (pattern === '*') return () => true
  const parts = pattern.split('*')
  if (parts.length === 1) return (topic) => topic === pattern
  const first = parts[0] ?? ''
  const last = parts[parts.length - 1] ?? ''
  const middle = parts.slice(1, -1).filter((part) => part !== '')
  return (topic) => {
    if (topic.length < first.length + last.length) return false
    if (!topic.startsWith(first) || !topic.endsWith(last)) return false
    return containsInOrder(topic.slice(first.length, topic.length - last.length), middle)
  }
}

export const isPattern = (pattern: string): boolean => pattern.includes('*')

function containsInOrder(text: string, parts: readonly string[]): boolean {
  let from = 0
  for (const part of parts) {
    const at = text.indexOf(part, from)
    if (at === -1) return false
    from = at + part.length
  }
  return true
}
