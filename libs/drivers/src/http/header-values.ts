/** Visible ASCII and spaces inside; anything else could break a header or be read differently by proxies. */
const SAFE_VALUE = /^[\x21-\x7e]([\x20-\x7e]*[\x21-\x7e])?$/
/** A token of RFC 9110 §5.6.2. */
const NAME = /^[A-Za-z0-9!#$%&'*+.^_`|~-]+$/

/** The value itself when it is plain ASCII, else percent-encoded UTF-8. */
export function safeValue(value: string): string {
  if (value === '' || (SAFE_VALUE.test(value) && !value.includes('%'))) return value
  return encodeURIComponent(value.toWellFormed()).replaceAll('%20', ' ').trim()
}

export const isHeaderName = (name: string): boolean => NAME.test(name)
