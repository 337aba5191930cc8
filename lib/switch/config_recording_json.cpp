// Keys of the file's section `recording` (M-15).
#include "call/recording_name.hpp"
#include "switch/config_fields_json.hpp"

namespace tandem::config {

const std::vector<Field<RecordingConfig>>& recording_fields() {
  using C = RecordingConfig;
  static const std::vector<Field<C>> fields = {
      {"folder", "path", "\"recordings\"", "Folder of the files; made when it is not there.",
       [](Reader& r, const Json& v, C& c) { r.string(v, c.folder, 4096); }},
      {"name", "pattern", "\"{date}/{time}-{caller}-{callee}-{id}\"",
       "File below it, without `.wav`; also {customer} and {vendor}. Times are UTC.",
       [](Reader& r, const Json& v, C& c) {
         std::string pattern;
         if (!r.string(v, pattern, 200)) return;
         if (auto checked = call::check_recording_pattern(pattern); !checked)
           return r.fail(checked.error().message);
         c.name = std::move(pattern);
       }},
      {"file_megabytes_max", "integer 1..4095", "512",
       "A recording ends at this size; four and a half hours.",
       [](Reader& r, const Json& v, C& c) { r.number(v, 1, 4095, c.file_megabytes_max); }},
      {"free_megabytes_min", "integer 0..1000000", "1024",
       "Nothing is recorded while the file system has less free; 0: never looked at.",
       [](Reader& r, const Json& v, C& c) { r.number(v, 0, 1'000'000, c.free_megabytes_min); }},
      {"calls_max", "integer 1..100000", "1000", "Recordings at once.",
       [](Reader& r, const Json& v, C& c) { r.number(v, 1, 100'000, c.calls_max); }},
      {"delete_after_days", "integer 0..36500", "0",
       "Days after its last change that maintenance deletes a file; 0: never.",
       [](Reader& r, const Json& v, C& c) { r.number(v, 0, 36'500, c.delete_after_days); }},
  };
  return fields;
}

}  // namespace tandem::config
