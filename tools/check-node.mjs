// Runs on whatever Node the machine has, so it uses nothing new.
const NEEDED_MAJOR = 24
const major = Number(process.versions.node.split('.')[0])
if (major < NEEDED_MAJOR) {
  process.stderr.write(
    `Barnabas needs Node ${NEEDED_MAJOR} or newer, and this is ${process.version}.\n` +
      'On Linux (x64, arm64) npm install brings one along: run it again without --omit=optional and start with npm start.\n' +
      'Elsewhere, install Node 24 LTS from nodejs.org or with your version manager.\n',
  )
  process.exit(1)
}
