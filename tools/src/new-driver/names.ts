import { Script } from 'node:vm'
import { Problem } from '../problem.js'

/** How a destination type is called in the places where its name stands. */
export interface Names {
  /** `acme_queue`: in the API. */
  readonly type: string
  /** `acme-queue`: folder and files. */
  readonly folder: string
  /** `acmeQueue`: the driver. */
  readonly identifier: string
  /** `AcmeQueue`: beginning of the classes' names. */
  readonly className: string
  /** `Acme queue`: for people. */
  readonly label: string
}

const TYPE = /^[a-z][a-z0-9]*(?:_[a-z0-9]+)*$/
/** Types are part of metric labels and of file names. */
const MAX_TYPE_LENGTH = 40

const capital = (word: string): string => word.charAt(0).toUpperCase() + word.slice(1)

/** Throws a `Problem` when the text is no name for a type. */
export function namesOf(type: string | undefined): Names {
  if (type === undefined || !TYPE.test(type) || type.length > MAX_TYPE_LENGTH)
    throw new Problem(
      'Name the destination type in lower case with underscores: npm run new-driver -- acme_queue',
    )
  const words = type.split('_')
  const className = words.map(capital).join('')
  const identifier = className.charAt(0).toLowerCase() + className.slice(1)
  if (!canBeDeclared(identifier))
    throw new Problem(
      `${identifier} is a word of the language and cannot name a driver: ${type}_target would do.`,
    )
  return { type, folder: words.join('-'), identifier, className, label: capital(words.join(' ')) }
}

/** Compiles and does not run; strict and asynchronous, as modules are. */
function canBeDeclared(identifier: string): boolean {
  try {
    return new Script(`'use strict'; async () => { const ${identifier} = 1 }`) instanceof Script
  } catch {
    return false
  }
}
