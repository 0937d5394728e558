import type { Names } from './names.js'

/** The suite for all drivers, on a target that is still to be started. */
export const harnessText = ({ folder, identifier, className }: Names): string => `
import { describeDriver, type Arrived, type DriverHarness } from '../testing/describe-driver.js'
import { ${identifier} } from './${folder}.driver.js'

/** Nobody listens there. */
const CLOSED = '127.0.0.1:1'

/** Starts the real target; tools/src/targets has functions for those of other types. */
class ${className}Harness implements DriverHarness {
  /** Each field once, with a value that is wrong for it. */
  readonly invalid: DriverHarness['invalid'] = {
    'config.server': (valid) => ({ ...valid, config: { server: 'server.example.com' } }),
    'config.colour': (valid) => ({ ...valid, config: { ...valid.config, colour: 'red' } }),
    'credentials.token': (valid) => ({ ...valid, credentials: {} }),
  }

  async start(): Promise<void> {}
  async stop(): Promise<void> {}
  async restart(): Promise<void> {}

  settings() {
    return { config: { server: CLOSED }, credentials: { token: 'a-token' } }
  }

  unreachable() {
    return { config: { server: CLOSED }, credentials: { token: 'a-token' } }
  }

  badCredentials() {
    return { settings: this.settings(), code: 'credentials_rejected' as const }
  }

  /** The target takes both; \`retire\` makes it refuse those before. */
  rotation() {
    return {
      before: { ...this.settings(), credentials: { token: 'an-old-token' } },
      after: this.settings(),
      retire: () => undefined,
      refusal: 'credentials_rejected' as const,
    }
  }

  becomeSlow(): void {}
  becomeQuick(): void {}

  arrived(): readonly Arrived[] {
    return []
  }
}

describeDriver(${identifier}, new ${className}Harness())
`
