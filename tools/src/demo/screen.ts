import { styleText } from 'node:util'

const write = (line: string): void => void process.stdout.write(`${line}\n`)

/** What the demo shows. Colours only on a terminal that wants them. */
export const screen = {
  heading: (text: string): void => write(`\n${styleText('bold', text)}`),
  line: (text: string): void => write(`  ${text}`),
  good: (text: string): void => write(`  ${styleText('green', '✓')} ${text}`),
  bad: (text: string): void => write(`  ${styleText('red', '✗')} ${text}`),
}
