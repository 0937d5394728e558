/** Something that the person at the terminal can mend: shown as it is, without a stack. */
export class Problem extends Error {
  constructor(message: string) {
    super(message)
    this.name = 'Problem'
  }
}

/** Runs a program of the command line: a problem is one message and exit code 1, anything else a bug with its stack. */
export async function runProgram(program: () => Promise<void>): Promise<void> {
  try {
    await program()
  } catch (error) {
    const text =
      error instanceof Problem ? error.message : error instanceof Error ? error.stack : String(error)
    process.stderr.write(`\n${text ?? ''}\n`)
    process.exitCode = 1
  }
}
