import NodeEnvironment from 'jest-environment-node'

/** What tests put their tellers into: see `tellOnFailure` in failure-story.ts. */
const TELLERS = Symbol.for('barnabas.tellers')
/** A failing test's own time limit is over by then, and nothing else ends a teller that hangs. */
const TELL_LIMIT_MS = 10_000

/** Lets whoever has something to say about a failing test say it, while what the test has started still runs. */
export default class TellingEnvironment extends NodeEnvironment {
  async handleTestEvent({ name, test }) {
    if (name !== 'test_fn_failure') return
    for (const tell of this.global[TELLERS] ?? []) {
      const story = await told(tell)
      // Standard output is for jest's own use.
      process.stderr.write(`\n  ○ when this failed: ${titleOf(test)}\n${story}\n`)
    }
  }
}

function told(tell) {
  let timer
  const limit = new Promise((resolve) => {
    timer = setTimeout(() => resolve('    (there was no time to tell)'), TELL_LIMIT_MS)
  })
  const telling = tell().catch((error) => `    (it could not be told: ${error})`)
  return Promise.race([telling, limit]).finally(() => clearTimeout(timer))
}

function titleOf({ name, parent }) {
  const isRoot = parent === undefined || parent.name === 'ROOT_DESCRIBE_BLOCK'
  return isRoot ? name : `${titleOf(parent)} › ${name}`
}
