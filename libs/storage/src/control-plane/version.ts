import type { EntityManager } from 'typeorm'

/** A row of the catalog that changed, to wait for in its readers. */
export interface Changed {
  readonly uid: string
  readonly version: number
}

/** The next version of the catalog. IMPORTANT: draw it after the row is locked, or two changes could swap. */
export async function nextVersion(tx: EntityManager): Promise<number> {
  const rows: { version: string }[] = await tx.query(`SELECT nextval('catalog_version') AS version`)
  return Number(rows[0]?.version)
}

/** The rows of an UPDATE or DELETE; TypeORM answers those with `[rows, count]`. */
export async function queryReturning<Row>(
  tx: EntityManager,
  sql: string,
  parameters: unknown[],
): Promise<Row[]> {
  const [rows]: [Row[], number] = await tx.query(sql, parameters)
  return rows
}
