import { Migration } from '@mikro-orm/migrations';

export default class extends Migration {
  override up(): void {
    this.addSql(
      `create table "mask" ("id" text not null primary key, "created_at" datetime not null, "restoration_id" text not null, "own" integer not null, "width" integer not null, "height" integer not null, "bytes" bigint not null, "coverage" double not null, "sha256" text not null, "storage_key" text not null, constraint "mask_restoration_id_foreign" foreign key ("restoration_id") references "restoration" ("id") on delete cascade)`,
    );
    this.addSql(`create unique index "mask_restoration_id_unique" on "mask" ("restoration_id")`);
  }
}
