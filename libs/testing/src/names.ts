import { randomBytes } from 'node:crypto'

/** A name that no other test has: letters, digits and dashes. */
export const uniqueName = (stem = 'test'): string => `${stem}-${randomBytes(6).toString('hex')}`
