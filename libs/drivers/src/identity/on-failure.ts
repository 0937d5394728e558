/** Called with why an identity could not be proved, at most every five seconds: for the operator. Holds no token. */
export type OnFailure = (reason: string) => void
