/** A step of the schema. Forward only; a mistake is mended by the next one. */
export interface Migration {
  readonly version: number
  /** What it does, and what an operator must know: locks, and whether the previous release survives it. */
  readonly about: string
  readonly sql: string
}

export const migrations: readonly Migration[] = [
  {
    version: 1,
    about: 'Control plane: tenants and destinations. New tables only.',
    sql: `
      CREATE SEQUENCE catalog_version;
      CREATE TABLE tenants (
        uid text PRIMARY KEY,
        id text NOT NULL,
        metadata text,
        version bigint NOT NULL,
        published_version bigint NOT NULL DEFAULT 0,
        created_at timestamptz NOT NULL,
        updated_at timestamptz NOT NULL,
        deleted_at timestamptz
      );
      CREATE UNIQUE INDEX tenants_live_id ON tenants (id) WHERE deleted_at IS NULL;
      CREATE INDEX tenants_unpublished ON tenants (version) WHERE version > published_version;
      CREATE TABLE destinations (
        uid text PRIMARY KEY,
        tenant_uid text NOT NULL REFERENCES tenants (uid) ON DELETE CASCADE,
        tenant_id text NOT NULL,
        id text NOT NULL,
        type text NOT NULL,
        topics text[] NOT NULL,
        filter text,
        config text NOT NULL,
        sealed_credentials text NOT NULL,
        delivery_metadata text NOT NULL,
        metadata text,
        disabled_at timestamptz,
        disabled_reason text,
        enable_epoch integer NOT NULL DEFAULT 0,
        version bigint NOT NULL,
        published_version bigint NOT NULL DEFAULT 0,
        created_at timestamptz NOT NULL,
        updated_at timestamptz NOT NULL,
        deleted_at timestamptz
      );
      CREATE UNIQUE INDEX destinations_live_id ON destinations (tenant_uid, id) WHERE deleted_at IS NULL;
      CREATE INDEX destinations_unpublished ON destinations (version) WHERE version > published_version;
      CREATE FUNCTION notify_catalog_changed() RETURNS trigger LANGUAGE plpgsql AS $$
      BEGIN
        PERFORM pg_notify('catalog_changed', '');
        RETURN NULL;
      END $$;
      CREATE TRIGGER tenants_changed AFTER INSERT OR UPDATE OF version ON tenants
        FOR EACH STATEMENT EXECUTE FUNCTION notify_catalog_changed();
      CREATE TRIGGER destinations_changed AFTER INSERT OR UPDATE OF version ON destinations
        FOR EACH STATEMENT EXECUTE FUNCTION notify_catalog_changed();
    `,
  },
  {
    version: 2,
    about: 'Event log, partitioned by the day on which Kafka took the event. New tables only.',
    sql: `
      CREATE TABLE events (
        day date NOT NULL,
        tenant_id text NOT NULL,
        event_id text NOT NULL,
        topic text NOT NULL,
        accepted_at timestamptz NOT NULL,
        meta text NOT NULL,
        payload bytea NOT NULL,
        PRIMARY KEY (day, tenant_id, event_id)
      ) PARTITION BY RANGE (day);
      CREATE INDEX events_by_time ON events (accepted_at, tenant_id, event_id);
      CREATE INDEX events_by_tenant ON events (tenant_id, accepted_at, event_id);
      CREATE INDEX events_by_id ON events (event_id);
      CREATE TABLE routings (
        day date NOT NULL,
        tenant_id text NOT NULL,
        event_id text NOT NULL,
        destination_uid text NOT NULL,
        destination_id text NOT NULL,
        PRIMARY KEY (day, tenant_id, event_id, destination_uid)
      ) PARTITION BY RANGE (day);
      CREATE TABLE attempts (
        day date NOT NULL,
        attempt_id text NOT NULL,
        delivery_id text NOT NULL,
        run text NOT NULL,
        attempt integer NOT NULL,
        event_id text NOT NULL,
        topic text NOT NULL,
        tenant_id text NOT NULL,
        tenant_uid text NOT NULL,
        destination_id text NOT NULL,
        destination_uid text NOT NULL,
        destination_type text NOT NULL,
        enable_epoch integer NOT NULL,
        accepted_at timestamptz NOT NULL,
        started_at timestamptz NOT NULL,
        duration_ms integer NOT NULL,
        outcome text NOT NULL,
        code text NOT NULL,
        detail text NOT NULL,
        decision text NOT NULL,
        due_at timestamptz,
        response text,
        response_body bytea,
        PRIMARY KEY (day, attempt_id)
      ) PARTITION BY RANGE (day);
      CREATE INDEX attempts_by_time ON attempts (started_at, attempt_id);
      CREATE INDEX attempts_by_tenant ON attempts (tenant_id, started_at, attempt_id);
      CREATE INDEX attempts_by_event ON attempts (event_id);
      CREATE INDEX attempts_by_id ON attempts (attempt_id);
      CREATE INDEX attempts_dead ON attempts (started_at, attempt_id) WHERE decision = 'dead-letter';
      CREATE TABLE consumer_offsets (
        cluster_id text NOT NULL,
        kafka_topic text NOT NULL,
        partition integer NOT NULL,
        next_offset bigint NOT NULL,
        PRIMARY KEY (cluster_id, kafka_topic, partition)
      );
      CREATE TABLE set_aside_records (
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        kafka_topic text NOT NULL,
        partition integer NOT NULL,
        record_offset bigint NOT NULL,
        reason text NOT NULL,
        meta bytea,
        value bytea,
        set_aside_at timestamptz NOT NULL DEFAULT now()
      );
      CREATE TABLE outbox (
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        kind text NOT NULL,
        body text NOT NULL,
        created_at timestamptz NOT NULL DEFAULT now()
      );
    `,
  },
  {
    version: 3,
    about:
      'Index for looking destinations up by public ids. Blocks changes of destinations while it is built.',
    sql: `CREATE INDEX destinations_by_tenant ON destinations (tenant_id, id) WHERE deleted_at IS NULL`,
  },
  {
    version: 4,
    about:
      'Limits of destinations, switches of operators, health of destinations. Adds a column without a rewrite: blocks ' +
      'destinations for a moment. The previous release survives it, but publishes destinations without their limits.',
    sql: `
      ALTER TABLE destinations ADD COLUMN limits text;
      CREATE TABLE switches (
        uid text COLLATE "C" PRIMARY KEY,
        name text NOT NULL,
        subject text NOT NULL,
        version bigint NOT NULL,
        published_version bigint NOT NULL DEFAULT 0,
        switched_on_at timestamptz NOT NULL,
        deleted_at timestamptz
      );
      CREATE INDEX switches_unpublished ON switches (version) WHERE version > published_version;
      CREATE TRIGGER switches_changed AFTER INSERT OR UPDATE OF version ON switches
        FOR EACH STATEMENT EXECUTE FUNCTION notify_catalog_changed();
      CREATE TABLE destination_health (
        destination_uid text NOT NULL,
        enable_epoch integer NOT NULL,
        consecutive_failures integer NOT NULL,
        first_failure_at timestamptz,
        last_failure_at timestamptz,
        last_success_at timestamptz,
        signalled_at timestamptz,
        PRIMARY KEY (destination_uid, enable_epoch)
      );
    `,
  },
  {
    version: 5,
    about:
      'Destinations whose filters held an event back. Adds columns without a rewrite: blocks events for a moment. The ' +
      'previous release survives it, and logs none of them.',
    sql: `
      ALTER TABLE events ADD COLUMN filtered text;
      ALTER TABLE events ADD COLUMN filtered_count integer NOT NULL DEFAULT 0;
    `,
  },
  {
    version: 6,
    about:
      'Retry policies of tenants and destinations. Adds columns without a rewrite: blocks both tables for a moment. The ' +
      'previous release survives it, but publishes both without their policies.',
    sql: `
      ALTER TABLE tenants ADD COLUMN policy text;
      ALTER TABLE destinations ADD COLUMN policy text;
    `,
  },
  {
    version: 7,
    about:
      'Redeliveries and redrives, with who asked for them. New tables only: no locks, and the previous release ' +
      'survives it.',
    sql: `
      CREATE TABLE redeliveries (
        run text PRIMARY KEY,
        delivery_id text NOT NULL,
        tenant_id text NOT NULL,
        event_id text NOT NULL,
        destination_id text NOT NULL,
        destination_uid text NOT NULL,
        attempt integer NOT NULL,
        requested_by text NOT NULL,
        requested_at timestamptz NOT NULL
      );
      CREATE INDEX redeliveries_by_delivery ON redeliveries (delivery_id);
      CREATE INDEX redeliveries_by_event ON redeliveries (event_id);
      CREATE INDEX redeliveries_by_time ON redeliveries (requested_at);
      CREATE TABLE redrives (
        id text COLLATE "C" PRIMARY KEY,
        tenant_id text NOT NULL,
        tenant_uid text NOT NULL,
        destination_id text,
        destination_uid text,
        codes text[],
        from_at timestamptz,
        to_at timestamptz,
        rate_per_second integer NOT NULL,
        counted bigint NOT NULL,
        state text NOT NULL,
        detail text NOT NULL,
        requested_by text NOT NULL,
        created_at timestamptz NOT NULL,
        started_at timestamptz,
        ended_at timestamptz,
        progress text,
        lease_owner text,
        lease_until timestamptz
      );
      CREATE INDEX redrives_by_time ON redrives (created_at, id);
      CREATE INDEX redrives_under_way ON redrives (created_at) WHERE state IN ('running', 'cancelling');
      CREATE TABLE redrive_entries (
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        redrive_id text NOT NULL REFERENCES redrives (id) ON DELETE CASCADE,
        state text NOT NULL,
        detail text NOT NULL,
        made_by text NOT NULL,
        made_at timestamptz NOT NULL
      );
      CREATE INDEX redrive_entries_by_redrive ON redrive_entries (redrive_id, id);
    `,
  },
]

/** The schema that this build needs. */
export const SCHEMA_VERSION = Math.max(...migrations.map(({ version }) => version))
