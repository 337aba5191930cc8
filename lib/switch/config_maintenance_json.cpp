// Keys of the file's section `maintenance` (O-08, O-09).
#include "switch/config_fields_json.hpp"
#include "switch/config_values_json.hpp"

namespace tandem::config {

const std::vector<Field<MaintenanceConfig>>& maintenance_fields() {
  using M = MaintenanceConfig;
  static const std::vector<Field<M>> fields = {
      {"scheduled", "boolean", "true", "Each day; false: only when it is asked for.",
       [](Reader& r, const Json& v, M& m) { r.boolean(v, m.is_scheduled); }},
      {"at", "\"HH:MM\"", "\"03:30\"", "When it begins, in the zone of `parameters.timezone`.",
       [](Reader& r, const Json& v, M& m) {
         std::int32_t at_s = m.at_minute * 60;
         read_first_time_of_day(r, v, at_s);
         if (at_s % 60 != 0) r.fail("maintenance begins at a whole minute");
         m.at_minute = at_s / 60;
       }},
      {"window_minutes", "integer 1..1440", "180", "Nothing is begun later than that after `at`.",
       [](Reader& r, const Json& v, M& m) { r.number(v, 1, 1'440, m.window_minutes); }},
      {"seal_after_days", "integer 0..36500", "2",
       "Days after its end that a day (UTC) is checked, compacted and summed up. Late records are "
       "taken all the same.",
       [](Reader& r, const Json& v, M& m) { r.number(v, 0, 36'500, m.seal_after_days); }},
      {"archive_after_days", "integer 0..36500", "0",
       "Days after its end that a day becomes one compressed file, which questions cannot look "
       "into until it is restored; 0: never.",
       [](Reader& r, const Json& v, M& m) { r.number(v, 0, 36'500, m.archive_after_days); }},
      {"delete_after_days", "integer 0..36500", "0",
       "Days after the end of a day that its archive is deleted; above `archive_after_days`. 0: "
       "never.",
       [](Reader& r, const Json& v, M& m) { r.number(v, 0, 36'500, m.delete_after_days); }},
      {"restored_days", "integer 1..36500", "7", "Days that a restored day stays online.",
       [](Reader& r, const Json& v, M& m) { r.number(v, 1, 36'500, m.restored_days); }},
      {"verify_archives", "integer 0..1000", "1",
       "Archives that are read back each day, those not looked at for longest.",
       [](Reader& r, const Json& v, M& m) { r.number(v, 0, 1'000, m.verify_archives); }},
      {"columns", "boolean", "true",
       "A sealed day gets its columns beside its file, which lists and reports read faster.",
       [](Reader& r, const Json& v, M& m) { r.boolean(v, m.writes_columns); }},
      {"io_megabytes_per_s", "integer 1..10000", "20", "About how much is read and written.",
       [](Reader& r, const Json& v, M& m) { r.number(v, 1, 10'000, m.io_megabytes_per_s); }},
  };
  return fields;
}

}  // namespace tandem::config
