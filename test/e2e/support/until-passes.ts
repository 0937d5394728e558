import { eventually, type EventuallyOptions } from '@barnabas/testing'

/** Calls `check` until none of its expectations fails; resolves to its answer, which may be nothing. */
export async function untilPasses<Value>(
  check: () => Value | Promise<Value>,
  options?: EventuallyOptions,
): Promise<Value> {
  const { value } = await eventually(async () => ({ value: await check() }), options)
  return value
}
