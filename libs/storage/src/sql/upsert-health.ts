/**
 * Adds what a batch of attempts changed to each destination's health (primary key destination_uid, enable_epoch), and
 * returns what it is now. A success in the batch begins a new count; else the failures go on with the run that is
 * there. Rows are locked in the order in which they are given.
 */
export const UPSERT_HEALTH = `
  INSERT INTO destination_health AS known (destination_uid, enable_epoch, consecutive_failures, first_failure_at,
    last_failure_at, last_success_at)
  SELECT * FROM unnest($1::text[], $2::integer[], $3::integer[], $4::timestamptz[], $5::timestamptz[],
    $6::timestamptz[])
  ON CONFLICT (destination_uid, enable_epoch) DO UPDATE SET
    consecutive_failures = excluded.consecutive_failures
      + CASE WHEN excluded.last_success_at IS NULL THEN known.consecutive_failures ELSE 0 END,
    first_failure_at = CASE WHEN excluded.last_success_at IS NULL
      THEN coalesce(known.first_failure_at, excluded.first_failure_at) ELSE excluded.first_failure_at END,
    last_failure_at = greatest(known.last_failure_at, excluded.last_failure_at),
    last_success_at = greatest(known.last_success_at, excluded.last_success_at)
  RETURNING destination_uid, enable_epoch, consecutive_failures, first_failure_at, last_failure_at, signalled_at`

/** Health that nobody asks for any more: of deleted destinations, and of epochs that have ended. */
export const FORGET_HEALTH = `
  DELETE FROM destination_health WHERE ctid = ANY(ARRAY(
    SELECT health.ctid FROM destination_health AS health
     WHERE NOT EXISTS (SELECT FROM destinations
       WHERE destinations.uid = health.destination_uid AND destinations.deleted_at IS NULL
         AND destinations.enable_epoch <= health.enable_epoch)
     LIMIT $1 FOR UPDATE SKIP LOCKED))
  RETURNING 1`
