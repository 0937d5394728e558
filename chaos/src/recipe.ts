import type { AppName } from '@barnabas/tools'
import type { Audit } from './audit.js'
import type { ServicesOptions } from './services.js'
import type { Recovery } from './statistics.js'
import type { World } from './world.js'

/** What a recipe's stack is made of. */
export interface StackPlan extends ServicesOptions {
  /** Settings of all apps, over those that all recipes share. */
  readonly env?: Readonly<Record<string, string>>
  /** How many of an app; one unless given. */
  readonly instances?: Partial<Record<AppName, number>>
}

/** One thing that was looked at. */
export interface Check {
  /** What must hold, in words. */
  readonly sentence: string
  readonly isMet: boolean
  /** What was found. */
  readonly found: string
}

/** A fault, and how long it took to get over it. */
export interface Fault {
  readonly label: string
  readonly recovery: Recovery
}

export interface Outcome {
  readonly audit: Audit
  readonly faults: readonly Fault[]
  readonly checks: readonly Check[]
}

/** Breaks one thing on purpose while events flow, and tells whether the promises held. */
export interface Recipe {
  /** As in the list of recipes, `R1`. */
  readonly id: string
  readonly title: string
  /** What is done how often and at which load, in full. */
  readonly scale: string
  /** The same in the short form; a recipe without one is not part of it. */
  readonly shortScale?: string
  readonly stack: StackPlan
  /** Throws when the stack did not do what any stack must, so that nothing could be looked at. */
  run(world: World): Promise<Outcome>
}

export const isInShortForm = ({ shortScale }: Recipe): boolean => shortScale !== undefined
