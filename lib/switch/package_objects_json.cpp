#include "tandem/package_calls.hpp"

#include <algorithm>
#include <array>
#include <string_view>

#include "call/tables.hpp"
#include "switch/config_reader_json.hpp"
#include "switch/config_values_json.hpp"
#include "switch/provision_kinds_json.hpp"

namespace tandem {

Result<void> provision_packages(PackageBook& book, std::string_view json) {
  constexpr std::array<std::string_view, 5> lists = {"packages", "package_orders", "calendars",
                                                     "accounts", "phones"};
  auto object = config::parse_json(json);
  if (!object) return object.error();
  SwitchConfig read;
  std::vector<ConfigError> errors;
  config::Reader reader(read.folder, errors, true);
  if (!object->is_object()) reader.fail("text is no JSON object");
  for (const auto& list : object->items()) {
    const config::Reader::Step step(reader, list.key());
    const config::ProvisionKind* const kind = config::find_provision_kind(list.key());
    if (list.key() == "timezone") {
      config::read_timezone(reader, list.value(), read.parameters.timezone);
    } else if (kind == nullptr ||
               std::find(lists.begin(), lists.end(), list.key()) == lists.end()) {
      reader.fail("unknown key \"" + list.key() + "\"");
    } else {
      reader.each(list.value(), [&](const config::Json& item) {
        config::read_provisioned(reader, *kind, item, read.provision);
      });
    }
  }
  if (!errors.empty())
    return Error{ErrorCode::invalid_argument,
                 errors.front().pointer + ": " + errors.front().message};
  return call::provision_packages(read, book);
}

}  // namespace tandem
