/**
 * A value that is made at the first call and kept; a failure is not kept. For heavy client libraries, so that a
 * process loads only those of the types that it sends to: `const sdk = lazy(() => import('…'))`.
 */
export function lazy<Value>(make: () => Promise<Value>): () => Promise<Value> {
  let made: Promise<Value> | null = null
  return () => {
    made ??= make().catch((error: unknown) => {
      made = null
      throw error
    })
    return made
  }
}
