/** What a filter may cost, checked when it is written. All chosen, not measured, unless said so; docs/filters.md states them. */
export const FILTER_LIMITS = {
  /** As JSON: every router keeps every filter in memory and in one record of the catalog. */
  bytes: 32 * 1024,
  /** Objects and arrays inside each other: parsing and compiling recurse. */
  nesting: 16,
  /** Conditions, that is literals and operators: each may be tried for every event of the tenant. */
  rules: 256,
  /** Values in the list of `$in`, `$nin`, `$startsWith` or `$endsWith`. */
  listValues: 1_000,
  /** Patterns in one filter; each keeps its own memory. */
  patterns: 4,
  patternCharacters: 512,
  /** Instructions that RE2 compiles a pattern to: matching costs at most length of the text × instructions. */
  patternInstructions: 100,
  /**
   * UTF-16 units of the text that a pattern is tried on; a longer one does not match. With the largest program the
   * slowest pattern found, [ab]*a[ab]{100}$, took about 0.1 s on this length.
   */
  patternTextLength: 64 * 1024,
  /** Bytes that a pattern may remember of its work between texts. 64 KiB and 1 MiB were equally fast. */
  patternMemoryBytes: 64 * 1024,
  /** JSONPaths with `*`, `..` or a slice: each walks through the whole payload. */
  searches: 8,
  /** Segments of a JSONPath. */
  pathSegments: 32,
} as const
