/** What filters look at. */
export interface FilterEvent {
  readonly id: string
  readonly topic: string
  readonly time: string
  readonly metadata: Readonly<Record<string, string>>
  /** The parsed payload, undefined when it is not JSON. Asked for at most once a filter, and only when one needs it. */
  readonly data: () => unknown
}

/** Why an event did not pass. */
export interface FilterFailure {
  /** Path of the rule in the filter, such as `data.amount.$gte`. */
  readonly rule: string
  readonly expected: unknown
  /** What stood in its place; absent when there is no such member, and for `$and`, `$or` and `$not` around the whole event. */
  readonly actual?: unknown
}
