#include "admin/provision_endpoints.hpp"

#include <algorithm>
#include <map>
#include <set>

#include "admin/answers.hpp"
#include "admin/provision_bodies.hpp"
#include "base/text.hpp"
#include "switch/gateway_lists.hpp"
#include "tandem/deck_import.hpp"

namespace tandem::admin {
namespace {

constexpr const char* csv_type = "text/csv; charset=utf-8";

bool is_known(const std::string& kind) {
  const auto kinds = provision_kinds();
  return kind == "gateways" || std::find(kinds.begin(), kinds.end(), kind) != kinds.end();
}

/// Parameters of a query, each once and each known. Empty name in `complaint.pointer`: all good.
class Query {
 public:
  Query(const http::Request& request, std::set<std::string_view> known) {
    for (const auto& [key, value] : request.query) {
      if (!known.contains(key)) {
        fail(key, "unknown parameter \"" + key + "\"");
      } else if (!values_.emplace(key, value).second) {
        fail(key, "parameter was given twice");
      }
    }
  }

  [[nodiscard]] const std::string* text(const std::string& key) const {
    const auto found = values_.find(key);
    return found == values_.end() ? nullptr : &found->second;
  }
  bool flag(const std::string& key) {
    const std::string* value = text(key);
    if (value == nullptr || *value == "false") return false;
    if (*value != "true") fail(key, "\"" + *value + "\" is neither true nor false");
    return true;
  }
  std::optional<std::int64_t> time_us(const std::string& key) {
    const std::string* value = text(key);
    if (value == nullptr) return std::nullopt;
    auto parsed = parse_time_us(*value);
    if (parsed) return *parsed;
    fail(key, parsed.error().message);
    return std::nullopt;
  }
  std::uint64_t number(const std::string& key, std::uint64_t otherwise, std::uint64_t high) {
    const std::string* value = text(key);
    if (value == nullptr) return otherwise;
    const auto parsed = parse_integer<std::uint64_t>(*value);
    if (parsed && *parsed <= high) return *parsed;
    fail(key, "\"" + *value + "\" is not in 0.." + std::to_string(high));
    return otherwise;
  }
  /// "json" or "csv"; "": not asked for.
  std::string format() {
    const std::string* value = text("format");
    if (value == nullptr) return "";
    if (*value != "json" && *value != "csv")
      fail("format", "\"" + *value + "\" is not one of json, csv");
    return *value;
  }

  void fail(const std::string& key, std::string message) {
    if (!complaint_) complaint_ = {400, "invalid_argument", std::move(message), "/" + key};
  }
  [[nodiscard]] const std::optional<Complaint>& complaint() const { return complaint_; }

 private:
  std::map<std::string, std::string> values_;
  std::optional<Complaint> complaint_;
};

bool is_csv(const http::Request& request) {
  const std::string* const type = request.header("content-type");
  return type != nullptr &&
         equals_ignoring_case(trimmed(std::string_view(*type).substr(0, type->find(';'))),
                              "text/csv");
}

http::Response refused_change(const ProvisionOutcome& outcome, bool is_list,
                              const std::vector<std::size_t>& rows = {}) {
  return json_answer(status_of(outcome.faults.front().code),
                     faults_json(outcome.faults, is_list, rows));
}

bool is_for_background(const http::Request& request) {
  return std::any_of(request.query.begin(), request.query.end(),
                     [](const auto& parameter) { return parameter.first == "background"; });
}

/// Of provisioned objects; a payment to an account, say, waits for no import.
bool is_change(const http::Request& request) {
  const auto& path = request.path;
  if (path.size() == 5)
    return path[2] == "rate_decks" && (request.method == "PUT" || request.method == "POST");
  if (path.size() > 4 || (path.size() == 4 && path[2] == "gateways")) return false;
  return request.method == "PUT" || request.method == "DELETE";
}

http::Response job_answer(const ImportJob& job) {
  http::Response response = json_answer(job.status == 0 ? 202 : 200, to_json(job));
  response.headers.emplace_back("Location", "/api/v1/imports/" + std::to_string(job.id));
  return response;
}

/// What all puts may say of themselves.
void read_put_options(Query& query, ProvisionChange& change) {
  change.dry_run = query.flag("dry_run");
  change.valid_from_us = query.time_us("valid_from");
  if (const std::string* memo = query.text("memo")) change.memo = *memo;
}
const std::set<std::string_view> put_options = {"dry_run", "valid_from", "memo"};

/// The rates of a partner's price list as the CSV of a deck. Errors: what is wrong with its first
/// row that is wrong.
Result<std::string> csv_of_price_list(const std::string& id, DeckImport import) {
  if (!import.ok()) {
    const DeckFault& fault = import.faults.front();
    return Error{ErrorCode::invalid_argument, "row " + std::to_string(fault.row) + ": column \"" +
                                                  fault.column + "\": " + fault.message};
  }
  RateDeck::Builder builder(id);
  for (Rate& rate : import.rates) {
    if (auto added = builder.add(std::move(rate)); !added) return std::move(added).error();
  }
  auto deck = builder.build();
  if (!deck) return std::move(deck).error();
  return to_csv(*deck);
}

}  // namespace

bool ProvisionEndpoints::is_put(const http::Request& head) {
  return head.method == "PUT" && head.path.size() >= 3 && head.path[0] == "api" &&
         head.path[1] == "v1" && is_known(head.path[2]);
}

std::optional<http::Response> ProvisionEndpoints::answer(const http::Request& request) {
  const auto& path = request.path;
  if (path.size() < 3 || path[0] != "api" || path[1] != "v1") return std::nullopt;
  if (path[2] == "imports" && path.size() <= 4 && jobs_ != nullptr) return imports(request);
  if (!is_known(path[2])) return std::nullopt;
  if (jobs_ != nullptr && is_change(request)) {
    // The import holds what it would wait for, and all requests would wait behind it.
    if (const auto idle = jobs_->idle(); !idle) return refused(idle.error());
  }
  if (jobs_ != nullptr && is_put(request) && is_for_background(request))
    return put_in_background(request);
  const std::string& kind = path[2];
  const bool is_get = request.method == "GET" || request.method == "HEAD";
  if (path.size() == 3) {
    if (is_get) return list(kind, request);
    if (request.method == "PUT") return put_list(kind, request);
    return only(request, "GET, HEAD, PUT");
  }
  if (kind == "gateways") return std::nullopt;
  if (path.size() == 4) {
    if (is_get) return get(kind, path[3]);
    if (request.method == "PUT") return put(kind, path[3], request);
    if (request.method == "DELETE") return remove(kind, path[3], request);
    return only(request, "GET, HEAD, PUT, DELETE");
  }
  if (path.size() == 5 && kind == "rate_decks") return deck(path[3], path[4], request);
  return std::nullopt;
}

http::Response ProvisionEndpoints::imports(const http::Request& request) const {
  if (request.method != "GET" && request.method != "HEAD") return only(request, "GET, HEAD");
  if (const Query query(request, {}); query.complaint()) return refused(*query.complaint());
  if (request.path.size() == 3) return json_answer(200, json_array(jobs_->list()));
  const auto id = parse_integer<std::uint64_t>(request.path[3]);
  if (!id) return no_such_thing("no import \"" + request.path[3] + "\"");
  const auto job = jobs_->find(*id);
  return job ? job_answer(*job) : refused(job.error());
}

/// The same put without the parameter, beside the thread that answers all requests: a deck of
/// millions of rows keeps neither others waiting nor who put it in the dark.
http::Response ProvisionEndpoints::put_in_background(http::Request request) {
  Query query(request, {"background", "dry_run", "valid_from", "memo", "layout"});
  const bool is_background = query.flag("background");
  if (query.complaint()) return refused(*query.complaint());
  std::erase_if(request.query,
                [](const auto& parameter) { return parameter.first == "background"; });
  std::string target;
  for (const std::string& part : request.path)
    target += "/" + part;
  auto work = [&objects = objects_, request = std::move(request)] {
    auto answer = ProvisionEndpoints(objects).answer(request);
    return answer ? std::move(*answer) : no_such_thing("no such resource");
  };
  if (!is_background) return work();
  const auto id = jobs_->start(std::move(target), std::move(work));
  if (!id) return refused(id.error());
  const auto job = jobs_->find(*id);
  return job ? job_answer(*job) : refused(job.error());
}

http::Response ProvisionEndpoints::list(const std::string& kind, const http::Request& request) {
  Query query(request, {"format"});
  const std::string format = query.format();
  if (query.complaint()) return refused(*query.complaint());
  if (kind == "gateways") {
    std::vector<ProvisionedObject> all;
    for (const auto& list : gateway_lists) {
      auto objects = objects_.objects(list.list);
      if (!objects) return refused(objects.error());
      all.insert(all.end(), objects->begin(), objects->end());
    }
    if (format == "csv") return {200, csv_type, objects_to_csv(kind, all), {}};
    return json_answer(200, objects_json(all, true));
  }
  auto objects = objects_.objects(kind);
  if (!objects) return refused(objects.error());
  if (format == "csv") return {200, csv_type, objects_to_csv(kind, *objects), {}};
  if (format == "json" && kind == "rate_decks") {  // whole, so that it can be put again
    for (ProvisionedObject& deck : *objects) {
      auto whole = objects_.object(kind, deck.id);
      if (whole) deck = std::move(*whole);
    }
  }
  return json_answer(200, objects_json(*objects, false));
}

http::Response ProvisionEndpoints::put_list(const std::string& kind, const http::Request& request) {
  Query query(request, put_options);
  ProvisionChange change;
  read_put_options(query, change);
  if (query.complaint()) return refused(*query.complaint());
  std::vector<std::size_t> rows;
  if (is_csv(request)) {
    auto objects = objects_from_csv(kind, request.body, &rows);
    if (!objects) return refused(objects.error());
    change.puts = std::move(*objects);
  } else {
    Complaint complaint;
    if (!read_objects(request.body, kind, change.puts, complaint)) return refused(complaint);
  }
  const ProvisionOutcome outcome = objects_.change(change);
  if (!outcome.faults.empty()) return refused_change(outcome, true, rows);
  return json_answer(200, outcome_json(outcome, change.dry_run));
}

http::Response ProvisionEndpoints::get(const std::string& kind, const std::string& id) {
  auto object = objects_.object(kind, id);
  if (!object) return refused(object.error());
  return json_answer(200, std::move(object->json));
}

http::Response ProvisionEndpoints::put(const std::string& kind, const std::string& id,
                                       const http::Request& request) {
  Query query(request, put_options);
  ProvisionChange change;
  read_put_options(query, change);
  if (query.complaint()) return refused(*query.complaint());
  change.puts.push_back({kind, id, request.body, std::nullopt});
  const ProvisionOutcome outcome = objects_.change(change);
  if (!outcome.faults.empty()) return refused_change(outcome, false);
  return json_answer(outcome.created != 0 && !change.dry_run ? 201 : 200,
                     outcome_json(outcome, change.dry_run));
}

http::Response ProvisionEndpoints::remove(const std::string& kind, const std::string& id,
                                          const http::Request& request) {
  if (const Query query(request, {}); query.complaint()) return refused(*query.complaint());
  ProvisionChange change;
  change.removals.push_back({kind, id});
  const ProvisionOutcome outcome = objects_.change(change);
  if (!outcome.faults.empty()) return refused_change(outcome, false);
  return {204, "", "", {}};
}

std::optional<http::Response> ProvisionEndpoints::deck(const std::string& id,
                                                       const std::string& what,
                                                       const http::Request& request) {
  const bool is_get = request.method == "GET" || request.method == "HEAD";
  const bool is_post = request.method == "POST";
  if (what == "rates") {
    if (is_get) return rates(id, request);
    return request.method == "PUT" ? put_rates(id, request) : only(request, "GET, HEAD, PUT");
  }
  if (what == "versions") {
    if (!is_get) return only(request, "GET, HEAD");
    auto versions = objects_.deck_versions(id);
    if (!versions) return refused(versions.error());
    return json_answer(200, json_array(*versions));
  }
  if (what == "diff") return is_get ? diff(id, request) : only(request, "GET, HEAD");
  if (what == "rollback") return is_post ? roll_back(id, request) : only(request, "POST");
  if (what == "schedule") return is_post ? schedule(id, request) : only(request, "POST");
  return std::nullopt;
}

http::Response ProvisionEndpoints::rates(const std::string& id, const http::Request& request) {
  Query query(request, {"format"});
  const bool as_csv = query.format() == "csv";
  if (query.complaint()) return refused(*query.complaint());
  auto text = as_csv ? objects_.rates_csv(id) : objects_.rates_json(id);
  if (!text) return refused(text.error());
  if (as_csv) return {200, csv_type, std::move(*text), {}};
  return json_answer(200, std::move(*text));
}

http::Response ProvisionEndpoints::put_rates(const std::string& id, const http::Request& request) {
  Query query(request, {"dry_run", "valid_from", "memo", "layout"});
  ProvisionChange change;
  read_put_options(query, change);
  if (query.complaint()) return refused(*query.complaint());
  if (const std::string* layout = query.text("layout")) {
    const auto known = parse_deck_layout(*layout == "auto" ? "" : *layout);
    if (!known) return refused(known.error(), "/layout");
    auto import = import_deck(request.body, *known);
    if (!import) return refused(import.error());
    if (change.dry_run) return json_answer(200, to_json(*import));
    auto csv = csv_of_price_list(id, std::move(*import));
    if (!csv) return refused(csv.error());
    change.puts.push_back({"rate_decks", id, "", std::move(*csv)});
    return put_deck(change);
  }
  if (!is_csv(request) && !request.body.starts_with('[')) {
    return refused(Complaint{415, "unsupported", "rates are text/csv or a JSON array", ""});
  }
  change.puts.push_back({"rate_decks", id, "", request.body});
  return put_deck(change);
}

http::Response ProvisionEndpoints::put_deck(const ProvisionChange& change) {
  const ProvisionOutcome outcome = objects_.change(change);
  if (!outcome.faults.empty()) return refused_change(outcome, false);
  return json_answer(outcome.created != 0 && !change.dry_run ? 201 : 200,
                     outcome_json(outcome, change.dry_run));
}

http::Response ProvisionEndpoints::diff(const std::string& id, const http::Request& request) {
  Query query(request, {"from", "to", "limit"});
  for (const char* key : {"from", "to"}) {
    if (query.text(key) == nullptr) query.fail(key, std::string("missing \"") + key + "\"");
  }
  const std::uint64_t from = query.number("from", 0, INT64_MAX);
  const std::uint64_t to = query.number("to", 0, INT64_MAX);
  const std::uint64_t limit = query.number("limit", 1000, deck_diff_rows_max);
  if (query.complaint()) return refused(*query.complaint());
  auto text = objects_.deck_diff(id, from, to, static_cast<std::size_t>(limit));
  if (!text) return refused(text.error());
  return json_answer(200, std::move(*text));
}

http::Response ProvisionEndpoints::roll_back(const std::string& id, const http::Request& request) {
  if (const Query query(request, {}); query.complaint()) return refused(*query.complaint());
  std::optional<std::uint64_t> number;
  Complaint complaint;
  if (!read_rollback(request.body, number, complaint)) return refused(complaint);
  auto version = objects_.roll_back_deck(id, number);
  if (!version) return refused(version.error(), number ? "/version" : "");
  return json_answer(200, to_json(*version));
}

http::Response ProvisionEndpoints::schedule(const std::string& id, const http::Request& request) {
  if (const Query query(request, {}); query.complaint()) return refused(*query.complaint());
  std::uint64_t number = 0;
  std::optional<std::int64_t> valid_from_us;
  Complaint complaint;
  if (!read_schedule(request.body, number, valid_from_us, complaint)) return refused(complaint);
  auto version = objects_.schedule_deck(id, number, valid_from_us);
  if (!version) return refused(version.error(), "/version");
  return json_answer(200, to_json(*version));
}

}  // namespace tandem::admin
