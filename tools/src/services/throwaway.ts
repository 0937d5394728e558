import { chmodSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startKafka, type KafkaService } from './kafka.js'
import { removePostgresData, startPostgres, type Postgres } from './postgres.js'

/** Services on data that nobody needs afterwards. */
export interface ThrowawayServices {
  readonly kafka: KafkaService
  readonly postgres: Postgres
  /** Ends both and removes their data. */
  stop(): Promise<void>
}

/** A folder for throwaway data that PostgreSQL may enter when root runs it. */
export function throwawayFolder(name: string): string {
  const folder = mkdtempSync(join(tmpdir(), `barnabas-${name}-`))
  chmodSync(folder, 0o755)
  return folder
}

/** For tests and benchmarks: a Kafka and a PostgreSQL on free ports of loopback. */
export async function startThrowawayServices(
  options: { isFast: boolean; say?: (line: string) => void } = { isFast: true },
): Promise<ThrowawayServices> {
  const dataDir = throwawayFolder('services')
  const { isFast, say } = options
  const [postgres, kafka] = await Promise.allSettled([
    startPostgres({ dataDir, isFast }),
    startKafka({ dataDir, isFast, ...(say ? { say } : {}) }),
  ])
  const stop = async (): Promise<void> => {
    if (postgres.status === 'fulfilled') await postgres.value.stop()
    if (kafka.status === 'fulfilled') await kafka.value.stop()
    removePostgresData(dataDir)
    rmSync(dataDir, { recursive: true, force: true })
  }
  if (postgres.status === 'rejected' || kafka.status === 'rejected') {
    await stop()
    throw postgres.status === 'rejected' ? postgres.reason : (kafka as PromiseRejectedResult).reason
  }
  return { kafka: kafka.value, postgres: postgres.value, stop }
}
