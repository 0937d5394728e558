import { existsSync } from 'node:fs'
import { readEnvironment, readSettings, text } from '@barnabas/config'
import { Problem, runProgram } from './problem.js'
import { removePostgresData } from './services/postgres.js'
import { DataFolder } from './stack/data-folder.js'

const table = { DATA_DIR: text({ default: '.data', about: 'Folder of everything that npm start keeps.' }) }

await runProgram(() => {
  const read = readSettings(table, readEnvironment())
  const folder = new DataFolder(read.ok ? read.settings.DATA_DIR : '.data')
  if (!existsSync(folder.path)) {
    process.stdout.write(`Nothing to remove: ${folder.path} does not exist.\n`)
    return Promise.resolve()
  }
  const holder = folder.holder()
  if (holder !== null) {
    throw new Problem(`Barnabas runs on ${folder.path}, as process ${holder}. Stop it first with Ctrl-C.`)
  }
  folder.checkIsOurs()
  removePostgresData(folder.path)
  folder.remove()
  process.stdout.write(`Removed ${folder.path}.\n`)
  return Promise.resolve()
})
