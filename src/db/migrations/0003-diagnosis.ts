import { Migration } from '@mikro-orm/migrations';

export default class extends Migration {
  override up(): void {
    this.addSql(
      `create table "diagnosis" ("id" text not null primary key, "created_at" datetime not null, "photo_id" text not null, "data" json not null, constraint "diagnosis_photo_id_foreign" foreign key ("photo_id") references "photo" ("id") on delete cascade)`,
    );
    this.addSql(`create unique index "diagnosis_photo_id_unique" on "diagnosis" ("photo_id")`);
  }
}
