import { types } from 'node:util'

/** One mistake in what somebody sent: where it is (a dotted path such as `config.url`) and what would be right. */
export interface Problem {
  readonly path: string
  readonly message: string
}

/** An expected failure is a value: the caller must look before it takes the value out. */
export type Result<Value, Failure = readonly Problem[]> =
  { readonly ok: true; readonly value: Value } | { readonly ok: false; readonly failure: Failure }

export const ok = <Value>(value: Value): { readonly ok: true; readonly value: Value } => ({ ok: true, value })
export const failed = <Failure>(failure: Failure): { readonly ok: false; readonly failure: Failure } => ({
  ok: false,
  failure,
})

/** Turns whatever was thrown into an Error, once, at the edge that caught it. */
export function toError(thrown: unknown): Error {
  // Errors of another realm (a worker, a test runner's sandbox) are no instances of this one's class.
  if (thrown instanceof Error || types.isNativeError(thrown)) return thrown
  return new Error(String(thrown), { cause: thrown })
}
