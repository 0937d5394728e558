/** The libraries are taken from their sources, so that a test never sees a stale build. */
const moduleNameMapper = {
  '^@barnabas/([a-z]+)$': '<rootDir>/libs/$1/src/index.ts',
  '^(\\.{1,2}/.*)\\.js$': '$1',
}

/** Suites whose target is not on this machine: see tools/jest.mjs. */
const skipped = (process.env.SKIPPED_SUITES ?? '').split(' ').filter((one) => one !== '')

const shared = {
  rootDir: import.meta.dirname,
  roots: [
    '<rootDir>/libs',
    '<rootDir>/apps',
    '<rootDir>/tools',
    '<rootDir>/bench',
    '<rootDir>/chaos',
    '<rootDir>/test',
  ],
  extensionsToTreatAsEsm: ['.ts'],
  testPathIgnorePatterns: ['/node_modules/', ...skipped],
  modulePathIgnorePatterns: ['/dist/'],
  moduleNameMapper: { '^@barnabas/tools$': '<rootDir>/tools/src/index.ts', ...moduleNameMapper },
  testEnvironment: 'node',
  transform: {
    '\\.ts$': [
      '@swc/jest',
      {
        jsc: {
          parser: { syntax: 'typescript', decorators: true },
          transform: { legacyDecorator: true, decoratorMetadata: true, useDefineForClassFields: false },
          target: 'es2023',
        },
        module: { type: 'es6' },
      },
    ],
  },
}

export default {
  // A Nest suite keeps about 14 MB; a worker is replaced before that adds up.
  workerIdleMemoryLimit: '512MB',
  projects: [
    { ...shared, displayName: 'unit', testMatch: ['**/*.spec.ts'] },
    { ...shared, displayName: 'int', testMatch: ['**/*.int-spec.ts'] },
    {
      ...shared,
      displayName: 'e2e',
      testMatch: ['<rootDir>/test/e2e/**/*.e2e-spec.ts'],
      testEnvironment: '<rootDir>/test/e2e/support/telling-environment.mjs',
    },
  ],
  // Services are real, and the machine may be busy.
  testTimeout: 60_000,
}
