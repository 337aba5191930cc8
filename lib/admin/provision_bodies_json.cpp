#include <algorithm>
#include <optional>

#include "admin/answers.hpp"
#include "admin/import_jobs.hpp"
#include "admin/provision_bodies.hpp"
#include "switch/config_reader_json.hpp"
#include "switch/gateway_lists.hpp"
#include "tandem/admin.hpp"

namespace tandem::admin {
namespace {

using config::Json;

std::string dump(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

bool fail(Complaint& complaint, std::string message, std::string pointer) {
  complaint = {400, "invalid_argument", std::move(message), std::move(pointer)};
  return false;
}

bool read_object(std::string_view body, Json& out, Complaint& complaint) {
  auto parsed = config::parse_json(body.empty() ? "{}" : body);
  if (!parsed) return fail(complaint, parsed.error().message, "");
  out = std::move(*parsed);
  if (!out.is_object()) return fail(complaint, "body is no JSON object", "");
  for (const auto& item : out.items()) {
    if (item.key() != "version" && item.key() != "valid_from")
      return fail(complaint, "unknown key \"" + item.key() + "\"", "/" + item.key());
  }
  return true;
}

bool read_version(const Json& object, std::optional<std::uint64_t>& version, Complaint& complaint) {
  const auto found = object.find("version");
  if (found == object.end() || found->is_null()) return true;
  if (!found->is_number_unsigned())
    return fail(complaint, found->dump() + " is no number of a version", "/version");
  version = found->get<std::uint64_t>();
  return true;
}

/// Takes `kind` out of an object of "gateways"; null: there is none that is known.
const char* take_gateway_list(Json& object) {
  const auto kind = object.find("kind");
  if (kind == object.end()) return nullptr;
  for (const auto& list : gateway_lists) {
    if (*kind == list.kind) {
      object.erase("kind");
      return list.list;
    }
  }
  return nullptr;
}

}  // namespace

bool read_objects(std::string_view body, const std::string& kind,
                  std::vector<ProvisionedObject>& objects, Complaint& complaint) {
  auto parsed = config::parse_json(body);
  if (!parsed) return fail(complaint, parsed.error().message, "");
  Json& array = *parsed;
  if (!array.is_array()) return fail(complaint, "body is no JSON array", "");
  for (std::size_t i = 0; i < array.size(); ++i) {
    const std::string pointer = "/" + std::to_string(i);
    if (!array[i].is_object()) return fail(complaint, "element is no JSON object", pointer);
    std::string list = kind;
    if (kind == "gateways") {
      const char* const named = take_gateway_list(array[i]);
      if (named == nullptr) {
        return fail(complaint, "a gateway needs \"kind\": \"customer\" or \"vendor\"",
                    pointer + "/kind");
      }
      list = named;
    }
    objects.push_back({std::move(list), "", dump(array[i]), std::nullopt});
  }
  return true;
}

std::string objects_json(const std::vector<ProvisionedObject>& objects, bool with_kind) {
  std::string text = "[";
  for (const ProvisionedObject& object : objects) {
    if (text.size() > 1) text += ",\n ";
    if (with_kind) {
      Json shown = config::json_or_null(object.json);
      for (const auto& list : gateway_lists) {
        if (object.kind == list.list) shown["kind"] = list.kind;
      }
      text += dump(shown);
    } else {
      text += object.json;
    }
  }
  return text + "]";
}

bool read_rollback(std::string_view body, std::optional<std::uint64_t>& version,
                   Complaint& complaint) {
  Json object;
  if (!read_object(body, object, complaint) || !read_version(object, version, complaint))
    return false;
  if (object.contains("valid_from"))
    return fail(complaint, "unknown key \"valid_from\"", "/valid_from");
  return true;
}

bool read_schedule(std::string_view body, std::uint64_t& version,
                   std::optional<std::int64_t>& valid_from_us, Complaint& complaint) {
  Json object;
  std::optional<std::uint64_t> number;
  if (!read_object(body, object, complaint) || !read_version(object, number, complaint))
    return false;
  if (!number) return fail(complaint, "missing \"version\"", "/version");
  version = *number;
  const auto time = object.find("valid_from");
  if (time == object.end()) return fail(complaint, "missing \"valid_from\"", "/valid_from");
  if (time->is_null()) return true;
  if (!time->is_string()) return fail(complaint, "\"valid_from\" is no text", "/valid_from");
  auto parsed = parse_time_us(time->get<std::string>());
  if (!parsed) return fail(complaint, parsed.error().message, "/valid_from");
  valid_from_us = *parsed;
  return true;
}

std::string faults_json(const std::vector<ProvisionFault>& faults, bool is_list,
                        const std::vector<std::size_t>& rows) {
  Json all = Json::array();
  for (const ProvisionFault& fault : faults) {
    std::string pointer = fault.pointer;
    std::string message = fault.message;
    if (is_list) pointer = "/" + std::to_string(fault.index) + pointer;
    Json entry = {{"index", fault.index}};
    if (fault.index < rows.size()) {
      entry["row"] = rows[fault.index];
      const std::string column =
          fault.pointer.empty() ? "" : fault.pointer.substr(1, fault.pointer.find('/', 1) - 1);
      message = "row " + std::to_string(rows[fault.index]) +
                (column.empty() ? "" : ", column \"" + column + "\"") + ": " + message;
    }
    entry["pointer"] = std::move(pointer);
    entry["message"] = std::move(message);
    all.push_back(std::move(entry));
  }
  const Json& first = all.front();
  return dump({{"error",
                {{"code", error_code_name(faults.front().code)},
                 {"message", first["message"]},
                 {"pointer", first["pointer"]},
                 {"errors", all}}}});
}

std::string outcome_json(const ProvisionOutcome& outcome, bool dry_run) {
  return dump({{"created", outcome.created},
               {"replaced", outcome.replaced},
               {"removed", outcome.removed},
               {"dry_run", dry_run}});
}

std::string to_json(const ImportJob& job) {
  const char* const state = job.status == 0 ? "running" : job.status < 300 ? "done" : "failed";
  Json json = {{"id", job.id},
               {"target", job.target},
               {"state", state},
               {"step", provision_step_name(job.progress.step)},
               {"done_bytes", job.progress.done_bytes},
               {"total_bytes", job.progress.total_bytes},
               {"started_at_us", job.started_at_us},
               {"ended_at_us", job.ended_at_us},
               {"status", job.status},
               {"answer", nullptr}};
  if (!job.answer.empty()) json["answer"] = config::json_or_null(job.answer);
  return dump(json);
}

std::string merged_json(const std::string& primary, const std::string& further) {
  Json merged = config::json_or_null(primary);
  const Json more = config::json_or_null(further);
  if (!more.is_object()) return primary;
  for (const auto& item : more.items()) {
    if (!merged.contains(item.key()) || item.key() == "memo") merged[item.key()] = item.value();
  }
  return dump(merged);
}

}  // namespace tandem::admin

namespace tandem {

std::vector<ConfigError> errors_of(const AdminAnswer& answer) {
  const config::Json body = config::json_or_null(answer.body);
  const auto text = [](const config::Json& object, const char* key) {
    const auto found = object.find(key);
    return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
  };
  if (!body.is_object() || !body.contains("error") || !body["error"].is_object())
    return {{"", answer.body.substr(0, answer.body.find('\n'))}};
  const auto& error = body["error"];
  std::vector<ConfigError> found;
  if (const auto all = error.find("errors"); all != error.end() && all->is_array()) {
    for (const auto& entry : *all) {
      if (entry.is_object())
        found.push_back(
            {entry.contains("row") ? "" : text(entry, "pointer"), text(entry, "message")});
    }
  }
  if (found.empty()) found.push_back({text(error, "pointer"), text(error, "message")});
  return found;
}

Result<ImportState> import_state_of(const AdminAnswer& answer) {
  const config::Json body = config::json_or_null(answer.body);
  const auto number = [&body](const char* key) -> std::optional<std::uint64_t> {
    const auto found = body.find(key);
    if (found == body.end() || !found->is_number_unsigned()) return std::nullopt;
    return found->get<std::uint64_t>();
  };
  const bool is_good = (answer.status == 200 || answer.status == 202) && body.is_object();
  const auto id = is_good ? number("id") : std::nullopt;
  const auto status = is_good ? number("status") : std::nullopt;
  const auto step = is_good ? body.find("step") : body.end();
  if (!id || !status || *status > 999 || step == body.end() || !step->is_string()) {
    return Error{ErrorCode::corrupt, "an answer of status " + std::to_string(answer.status) +
                                         " was not about an import"};
  }
  ImportState state;
  state.target = "/api/v1/imports/" + std::to_string(*id);
  state.is_over = *status != 0;
  state.step = step->get<std::string>();
  state.done_bytes = number("done_bytes").value_or(0);
  state.total_bytes = number("total_bytes").value_or(0);
  state.answer.status = static_cast<int>(*status);
  state.answer.content_type = "application/json";
  if (const auto given = body.find("answer"); given != body.end() && !given->is_null())
    state.answer.body = given->dump() + "\n";
  return state;
}

}  // namespace tandem
