import { describe, expect, it } from '@jest/globals'
import { registered } from './make-driver.js'
import { namesOf } from './names.js'

describe('namesOf', () => {
  it('names folder, driver, classes and label after the type', () => {
    expect(namesOf('acme_queue2')).toEqual({
      type: 'acme_queue2',
      folder: 'acme-queue2',
      identifier: 'acmeQueue2',
      className: 'AcmeQueue2',
      label: 'Acme queue2',
    })
  })

  it.each([
    undefined,
    '',
    'Acme',
    'acme-queue',
    '_a',
    'a__b',
    '../a',
    '2fa',
    'a'.repeat(41),
    'default',
    'await',
  ])('refuses %s', (type) => {
    expect(() => namesOf(type)).toThrow()
  })
})

describe('registered', () => {
  const names = namesOf('acme')

  it.each([
    "import { a } from './a/a.driver.js'\n\nexport const drivers: readonly Driver[] = [a]\n",
    "import { a } from './a/a.driver.js'\n\nexport const drivers: readonly Driver[] = [\n  a,\n]\n",
  ])('adds one import and one entry', (text) => {
    expect(registered(text, names)).toBe(
      "import { a } from './a/a.driver.js'\nimport { acme } from './acme/acme.driver.js'\n\nexport const drivers: readonly Driver[] = [a, acme]\n",
    )
  })

  it('refuses a registry that it does not understand', () => {
    expect(() => registered('export const drivers = []', names)).toThrow('registry.ts')
  })
})
