import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { makeDriver } from './new-driver/make-driver.js'
import { root } from './paths.js'
import { Problem, runProgram } from './problem.js'

/** They write the catalogue's snapshot and the document of all types, and check the registry. */
const SPECS = ['libs/drivers/src/driver.spec.ts', 'test/docs/destinations.spec.ts']

const NEXT = `
Next:
1. Describe fields, target and addresses in the driver file, and run UPDATE_DOCS=1 npm run test:unit -- ${SPECS.join(' ')} after each change.
2. Start the real target in the int-spec's harness.
3. Speak the protocol in the sender, and give its codes their meaning in the outcome file, until npm run test:int passes.
4. Write setup.md for the tenant, and draw the icon.
`

await runProgram(async () => {
  const files = await makeDriver(root, process.argv[2])
  process.stdout.write(`${files.map((file) => `wrote ${file}`).join('\n')}\n`)
  const { status } = spawnSync(
    process.execPath,
    [join(root, 'tools', 'jest.mjs'), '--selectProjects', 'unit', ...SPECS],
    { cwd: root, stdio: 'inherit', env: { ...process.env, UPDATE_DOCS: '1' } },
  )
  if (status !== 0) throw new Problem('The driver was made, and the tests of the registry failed.')
  process.stdout.write(NEXT)
})
