import { Migration } from '@mikro-orm/migrations';

export default class extends Migration {
  override up(): void {
    this.addSql(
      `create table "event" ("seq" integer not null primary key autoincrement, "at" datetime not null, "kind" text not null, "session_id" text null, "photo_id" text null, "restoration_id" text null, "attempt" integer not null, "status" text null, "stage" text null, "percent" double not null, "message" text null)`,
    );
    this.addSql(`create index "event_session_id_seq_index" on "event" ("session_id", "seq")`);
    this.addSql(`create index "event_restoration_id_seq_index" on "event" ("restoration_id", "seq")`);
    this.addSql(`create index "event_photo_id_index" on "event" ("photo_id")`);
    this.addSql(
      `create table "job" ("id" text not null primary key, "created_at" datetime not null, "kind" text not null, "ref_id" text not null, "group_id" text not null, "not_before" datetime not null, "lease_owner" text null, "lease_until" datetime null, "fence" integer not null default 0, "crashes" integer not null default 0)`,
    );
    this.addSql(`create index "job_lease_owner_group_id_id_index" on "job" ("lease_owner", "group_id", "id")`);
    this.addSql(`create unique index "job_kind_ref_id_unique" on "job" ("kind", "ref_id")`);
    this.addSql(
      `create table "rendition" ("id" text not null primary key, "created_at" datetime not null, "owner_id" text not null, "name" text not null, "width" integer not null, "height" integer not null, "bytes" bigint not null, "storage_key" text not null)`,
    );
    this.addSql(`create unique index "rendition_owner_id_name_unique" on "rendition" ("owner_id", "name")`);
    this.addSql(
      `create table "user" ("id" text not null primary key, "created_at" datetime not null, "username" text null, "password_hash" text null, "role" text not null, "disabled_at" datetime null)`,
    );
    this.addSql(`create unique index "user_username_unique" on "user" ("username")`);
    this.addSql(
      `create table "session" ("id" text not null primary key, "created_at" datetime not null, "user_id" text not null, "last_accessed_at" datetime not null, "user_agent" text null, constraint "session_user_id_foreign" foreign key ("user_id") references "user" ("id") on delete cascade)`,
    );
    this.addSql(`create index "session_user_id_id_index" on "session" ("user_id", "id")`);
    this.addSql(`create index "session_last_accessed_at_index" on "session" ("last_accessed_at")`);
    this.addSql(
      `create table "photo" ("id" text not null primary key, "created_at" datetime not null, "user_id" text not null, "session_id" text null, "original_filename" text not null, "format" text not null, "mime_type" text not null, "width" integer not null, "height" integer not null, "bit_depth" integer not null, "has_alpha" integer not null, "bytes" bigint not null, "sha256" text not null, "dominant_color" text not null, "thumbhash" text not null, "storage_key" text not null, "selected_restoration_id" text null, constraint "photo_user_id_foreign" foreign key ("user_id") references "user" ("id") on delete cascade, constraint "photo_session_id_foreign" foreign key ("session_id") references "session" ("id") on delete set null)`,
    );
    this.addSql(`create index "photo_user_id_id_index" on "photo" ("user_id", "id")`);
    this.addSql(`create index "photo_session_id_id_index" on "photo" ("session_id", "id")`);
    this.addSql(`create unique index "photo_user_id_sha256_unique" on "photo" ("user_id", "sha256")`);
    this.addSql(
      `create table "restoration" ("id" text not null primary key, "created_at" datetime not null, "user_id" text not null, "session_id" text null, "photo_id" text not null, "model_id" text not null, "options" json not null, "status" text not null, "stage" text null, "percent" double not null, "attempts" integer not null, "tries_left" integer not null, "fence" integer not null, "last_event" integer null, "queued_at" datetime not null, "started_at" datetime null, "finished_at" datetime null, "report" json null, "storage_key" text null, "format" text null, "mime_type" text null, "width" integer null, "height" integer null, "bytes" bigint null, "sha256" text null, "error_code" text null, "error_message" text null, "error_retry_after" double null, "error_provider" text null, constraint "restoration_user_id_foreign" foreign key ("user_id") references "user" ("id") on delete cascade, constraint "restoration_session_id_foreign" foreign key ("session_id") references "session" ("id") on delete set null, constraint "restoration_photo_id_foreign" foreign key ("photo_id") references "photo" ("id") on delete cascade)`,
    );
    this.addSql(`create index "restoration_user_id_id_index" on "restoration" ("user_id", "id")`);
    this.addSql(`create index "restoration_user_id_status_id_index" on "restoration" ("user_id", "status", "id")`);
    this.addSql(`create index "restoration_session_id_id_index" on "restoration" ("session_id", "id")`);
    this.addSql(`create index "restoration_session_id_status_index" on "restoration" ("session_id", "status")`);
    this.addSql(`create index "restoration_photo_id_id_index" on "restoration" ("photo_id", "id")`);
    this.addSql(`create index "restoration_status_index" on "restoration" ("status")`);
    this.addSql(
      `create table "submission" ("id" text not null primary key, "created_at" datetime not null, "user_id" text not null, "key" text not null, "body_hash" text not null, "restoration_id" text not null, constraint "submission_user_id_foreign" foreign key ("user_id") references "user" ("id") on delete cascade, constraint "submission_restoration_id_foreign" foreign key ("restoration_id") references "restoration" ("id") on delete cascade)`,
    );
    this.addSql(`create index "submission_restoration_id_index" on "submission" ("restoration_id")`);
    this.addSql(`create index "submission_created_at_index" on "submission" ("created_at")`);
    this.addSql(`create unique index "submission_user_id_key_unique" on "submission" ("user_id", "key")`);
    this.addSql(
      `create table "run" ("id" text not null primary key, "created_at" datetime not null, "restoration_id" text not null, "number" integer not null, "provider" text not null, "started_at" datetime not null, "finished_at" datetime null, "error_code" text null, "error_message" text null, constraint "run_restoration_id_foreign" foreign key ("restoration_id") references "restoration" ("id") on delete cascade)`,
    );
    this.addSql(`create unique index "run_restoration_id_number_unique" on "run" ("restoration_id", "number")`);
  }
}
