// JSON bodies about provisioned objects.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "admin/request_bodies.hpp"
#include "tandem/provision.hpp"

namespace tandem::admin {

/// An array of objects of one list, or of "gateways". False: `complaint` says why.
bool read_objects(std::string_view body, const std::string& kind,
                  std::vector<ProvisionedObject>& objects, Complaint& complaint);
/// The objects as an array of JSON or CSV; of "gateways" when `with_kind`.
std::string objects_json(const std::vector<ProvisionedObject>& objects, bool with_kind);

/// {"version": N or null}.
bool read_rollback(std::string_view body, std::optional<std::uint64_t>& version,
                   Complaint& complaint);
/// {"version": N, "valid_from": TIME or null}.
bool read_schedule(std::string_view body, std::uint64_t& version,
                   std::optional<std::int64_t>& valid_from_us, Complaint& complaint);

/// {"error": {..., "errors": [{"index", "pointer", "message"}]}}: the first fault in the form of
/// all errors, and all of them. `is_list`: pointers begin with the index. `rows`: of a table, empty
/// for JSON.
std::string faults_json(const std::vector<ProvisionFault>& faults, bool is_list,
                        const std::vector<std::size_t>& rows);
/// {"created", "replaced", "removed", "dry_run"}.
std::string outcome_json(const ProvisionOutcome& outcome, bool dry_run);

/// `primary` with those keys of `further` that it has not.
std::string merged_json(const std::string& primary, const std::string& further);

}  // namespace tandem::admin
