// The lists of `provision`: for each what reading, replacing and removing its objects takes; and
// `parameters`.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "switch/config_reader_json.hpp"
#include "tandem/config.hpp"

namespace tandem::config {

/// One list. The table in config_json.cpp has a line for each; everything that handles objects by
/// kind (file, database, admin API, C, Python, import) goes by it.
struct ProvisionKind {
  const char* name;     ///< Of the list.
  const char* meaning;  ///< For the reference.
  /// Reads one object and appends it, right or wrong.
  void (*read)(Reader&, const Json&, Provision&);
  void (*upsert)(Provision& base, const Provision& update);
  bool (*erase)(Provision&, std::string_view id);  ///< False: it was not there.
  std::size_t (*size)(const Provision&);
  const std::string& (*id_at)(const Provision&, std::size_t index);
  /// Keys in the order of the reference, with their type as it has it.
  std::vector<std::pair<std::string, std::string>> (*columns)();
  bool needs_id;  ///< Else an object without one is named by another of its keys.
};

const std::vector<ProvisionKind>& provision_kinds();
/// Null: there is none of that name.
const ProvisionKind* find_provision_kind(std::string_view name);

/// Reads one object of `kind`: appends it to its list, and its text to `Provision::documents`.
void read_provisioned(Reader& reader, const ProvisionKind& kind, const Json& object,
                      Provision& into);

/// Reads the keys of `parameters` that are there; the others stay.
void read_parameters(Reader& reader, const Json& object, Parameters& into);

/// Objects of `update` replace those of the same id in `base`; others stay, new ones are appended.
void upsert(Provision& base, const Provision& update);

}  // namespace tandem::config
