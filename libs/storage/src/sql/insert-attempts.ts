/**
 * One row per attempt (primary key day, attempt_id). Where the same attempt was recorded twice with different
 * outcomes, delivered wins: the target has the event. Returns the ids of rows that are new or were changed.
 */
export const INSERT_ATTEMPTS = `
  INSERT INTO attempts (day, attempt_id, delivery_id, run, attempt, event_id, topic, tenant_id, tenant_uid,
    destination_id, destination_uid, destination_type, enable_epoch, accepted_at, started_at, duration_ms,
    outcome, code, detail, decision, due_at, response, response_body)
  SELECT * FROM unnest($1::date[], $2::text[], $3::text[], $4::text[], $5::integer[], $6::text[], $7::text[],
    $8::text[], $9::text[], $10::text[], $11::text[], $12::text[], $13::integer[], $14::timestamptz[],
    $15::timestamptz[], $16::integer[], $17::text[], $18::text[], $19::text[], $20::text[], $21::timestamptz[],
    $22::text[], $23::bytea[])
  ON CONFLICT (day, attempt_id) DO UPDATE SET
    started_at = excluded.started_at, duration_ms = excluded.duration_ms, outcome = excluded.outcome,
    code = excluded.code, detail = excluded.detail, decision = excluded.decision, due_at = excluded.due_at,
    response = excluded.response, response_body = excluded.response_body
  WHERE excluded.outcome = 'delivered' AND attempts.outcome <> 'delivered'
  RETURNING attempt_id`
