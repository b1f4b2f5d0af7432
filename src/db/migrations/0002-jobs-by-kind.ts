import { Migration } from '@mikro-orm/migrations';

export default class extends Migration {
  override up(): void {
    this.addSql(`drop index "job_lease_owner_group_id_id_index"`);
    this.addSql(`alter table "job" drop column "lease_until"`);
    this.addSql(
      `create index "job_kind_lease_owner_group_id_id_index" on "job" ("kind", "lease_owner", "group_id", "id")`,
    );
  }
}
