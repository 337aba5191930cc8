#include "admin/endpoints.hpp"

#include <set>

#include "admin/answers.hpp"
#include "admin/correction_endpoints.hpp"
#include "admin/dispute_endpoints.hpp"
#include "admin/event_stream.hpp"
#include "admin/interconnect_endpoints.hpp"
#include "admin/maintenance_endpoints.hpp"
#include "admin/metrics.hpp"
#include "admin/provision_bodies.hpp"
#include "admin/query.hpp"
#include "admin/report_endpoints.hpp"
#include "admin/trace_endpoints.hpp"
#include "base/text.hpp"

namespace tandem::admin {
namespace {

/// What stands behind "Bearer"; "": nothing.
std::string_view bearer_of(const http::Request& request) {
  const std::string* const credentials = request.header("authorization");
  if (credentials == nullptr || credentials->size() <= 7) return {};
  const std::string_view text = *credentials;
  return equals_ignoring_case(text.substr(0, 7), "Bearer ") ? trimmed(text.substr(7))
                                                            : std::string_view();
}

/// Whether the partner at the other end of a customer gateway asks what it came to: the one thing
/// that the gateway's token opens (B-27).
bool is_partner(const Switch& served, const http::Request& request, std::string_view token) {
  const bool is_get = request.method == "GET" || request.method == "HEAD";
  if (!is_get || request.path != std::vector<std::string>{"api", "v1", "interconnect", "totals"})
    return false;
  std::string gateway;
  int gateways = 0, sides = 0;
  for (const auto& [key, value] : request.query) {
    if (key == "side" && value != "customer") return false;
    sides += key == "side";
    gateways += key == "gateway";
    if (key == "gateway") gateway = value;
  }
  return gateways == 1 && sides == 1 && served.is_reconciliation_token(gateway, token);
}

/// Whether a Host header names this machine by address: then no page of a foreign site can have led
/// a browser here under the foreign site's name.
bool is_address_or_localhost(std::string_view host) noexcept {
  if (SocketAddress::parse(host, 80)) return true;
  host = host.substr(0, host.find(':'));
  return equals_ignoring_case(host, "localhost");
}

/// What is asked without a token too.
bool is_health(const http::Request& request) noexcept {
  return request.path.size() == 1 && request.path[0] == "healthz";
}

/// read_period() and `limit`, which every list of what happened has. False: it is none of them, or
/// `wrong` says why.
template <class Query>
bool read_page(const std::string& key, const std::string& value, Query& query, std::string& wrong) {
  if (read_period(key, value, query, wrong)) return true;
  if (key != "limit") return false;
  std::uint64_t limit = 0;
  if (!read_number(value, 1, Endpoints::rows_max, limit))
    wrong = "\"" + value + "\" is not in 1..10000";
  query.limit = static_cast<std::size_t>(limit);
  return true;
}

/// The filters of the `cdr` command and `before`. False: `complaint` says why.
bool read_cdr_query(const http::Request& request, CdrQuery& query, Complaint& complaint) {
  return read_parameters(request, complaint, [&](const auto& key, const auto& value, auto& wrong) {
    if (read_page(key, value, query, wrong)) return true;
    if (key == "before") {
      std::uint64_t id = 0;
      if (!read_number(value, 0, UINT64_MAX, id)) wrong = "\"" + value + "\" is no record id";
      query.before_record_id = id;
      return true;
    }
    const auto set = set_filter(query, key, value);
    if (!set) wrong = set.error().message;
    return set && *set;
  });
}

bool read_ledger_query(const http::Request& request, LedgerQuery& query, Complaint& complaint) {
  return read_parameters(request, complaint, [&](const auto& key, const auto& value, auto& wrong) {
    if (read_page(key, value, query, wrong)) return true;
    if (key != "before") return false;
    const auto id = parse_integer<std::int64_t>(value);
    if (!id) wrong = "\"" + value + "\" is no id of an entry";
    if (id) query.before_id = *id;
    return true;
  });
}

}  // namespace

std::size_t Endpoints::body_limit(const http::Request& head) const {
  const bool is_plan = head.method == "POST" && head.path.size() == 3 && head.path[0] == "api" &&
                       head.path[1] == "v1" && head.path[2] == "shadow";
  return (is_plan || ProvisionEndpoints::is_put(head)) && knows(head)
             ? ProvisionEndpoints::body_bytes_max
             : http::RequestReader::body_bytes_max;
}

bool Endpoints::knows(const http::Request& head) const { return !refusal_of(head); }

http::Response Endpoints::answer(const http::Request& request, const http::ServerCounters& server) {
  auto refusal = refusal_of(request);
  const bool lacks_token_only = refusal && refusal->status == 401;
  if (refusal && !(lacks_token_only && is_health(request))) return std::move(*refusal);
  return route(request, server);
}

std::optional<http::Response> Endpoints::refusal_of(const http::Request& request) const {
  const std::string* const host = request.header("host");
  const std::string* const origin = request.header("origin");
  if (origin != nullptr &&
      (host == nullptr || (*origin != "http://" + *host && *origin != "https://" + *host))) {
    return refused(Complaint{403, "forbidden", "request came from a page of another site", ""});
  }
  if (token_.empty()) {
    if (host == nullptr || is_address_or_localhost(*host)) return std::nullopt;
    return refused(Complaint{403, "forbidden",
                             "without a token the Host must be an address or localhost", ""});
  }
  const std::string_view given = bearer_of(request);
  if (same_secret(given, token_) || is_partner(switch_, request, given)) return std::nullopt;
  http::Response refusal =
      refused(Complaint{401, "unauthorized", "a bearer token is required", ""});
  refusal.headers.emplace_back("WWW-Authenticate", "Bearer");
  return refusal;
}

http::Response Endpoints::route(const http::Request& request, const http::ServerCounters& server) {
  const auto& path = request.path;
  const std::string& method = request.method;
  const bool is_get = method == "GET" || method == "HEAD";
  if (is_health(request)) return is_get ? health() : only(request, "GET, HEAD");
  if (path.size() == 1 && path[0] == "metrics") {
    if (!is_get) return only(request, "GET, HEAD");
    return {200,
            "text/plain; version=0.0.4; charset=utf-8",
            metrics_text(switch_.counters(), switch_.gateways(), switch_.maintenance(), server),
            {}};
  }
  if (path.size() < 3 || path[0] != "api" || path[1] != "v1")
    return no_such_thing("no such resource");
  const std::string& kind = path[2];
  if (auto answer = answer_correction(switch_, request)) return std::move(*answer);
  if (auto answer = answer_dispute(switch_, request)) return std::move(*answer);
  if (auto answer = answer_interconnect(switch_, request)) return std::move(*answer);
  if (auto answer = answer_maintenance(switch_, request)) return std::move(*answer);
  if (auto answer = answer_trace(switch_, request)) return std::move(*answer);
  if (path.size() == 3) {
    if (kind == "calls") return is_get ? calls() : only(request, "GET, HEAD");
    if (kind == "cdrs") return is_get ? cdrs(request) : only(request, "GET, HEAD, POST");
    if (kind == "events") return method == "GET" ? events(request) : only(request, "GET");
    if (kind == "shadow") return shadow(request);
    if (kind == "explain") {
      return is_get || method == "POST" ? explain(request) : only(request, "GET, HEAD, POST");
    }
    if (kind == "bans") return is_get ? bans() : only(request, "GET, HEAD");
    if (kind == "phone-notices") {
      if (is_get) return json_answer(200, to_json(switch_.phone_notices()));
      return method == "POST" ? notify_phones() : only(request, "GET, HEAD, POST");
    }
    if (kind == "drain") return method == "POST" ? drain() : only(request, "POST");
    // With a format these lists are what is provisioned, else their state.
    if (kind == "phones" && is_get && request.query.empty()) return phones();
    if (kind == "gateways" && is_get && request.query.empty()) return gateways();
    if (kind == "accounts" && is_get && request.query.empty()) return accounts();
  } else if (path.size() == 4) {
    if (kind == "calls") return method == "DELETE" ? disconnect(path[3]) : only(request, "DELETE");
    if (kind == "accounts" && is_get) return account(path[3]);
    if (kind == "reports") {
      auto report = answer_report(switch_, request);
      return report ? std::move(*report) : no_such_thing("no report \"" + path[3] + "\"");
    }
    if (kind == "phones" && is_get) return phone(path[3]);
    if (kind == "bans") return method == "DELETE" ? lift(path[3]) : only(request, "DELETE");
  } else if (path.size() == 5 && kind == "calls" && path[4] == "recording") {
    return method == "PUT" || method == "DELETE" ? record(path[3], method == "PUT")
                                                 : only(request, "PUT, DELETE");
  } else if (path.size() == 5 && kind == "accounts" && path[4] == "payments") {
    return method == "POST" ? pay(path[3], request) : only(request, "POST");
  } else if (path.size() == 5 && kind == "accounts" && path[4] == "ledger") {
    return is_get ? ledger(path[3], request) : only(request, "GET, HEAD");
  } else if (path.size() == 5 && kind == "accounts" && path[4] == "packages") {
    if (is_get) return packages(path[3]);
    if (method != "POST") return only(request, "GET, HEAD, POST");
    if (!switch_.account(path[3])) return no_such_thing("no account \"" + path[3] + "\"");
    return order_package("account", path[3], request);
  } else if (path.size() == 5 && kind == "phones" && path[4] == "packages") {
    return phone_packages(path[3], request);
  }
  if (auto answer = provisioned_.answer(request)) return std::move(*answer);
  return no_such_thing("no such resource");
}

http::Response Endpoints::health() const {
  const SwitchCounters counters = switch_.counters();
  if (!counters.journal_writable) return json_answer(503, health_json("journal"));
  if (counters.is_draining) return json_answer(503, health_json("draining"));
  return json_answer(200, health_json("ok"));
}

http::Response Endpoints::calls() const { return json_answer(200, json_array(switch_.calls())); }

http::Response Endpoints::disconnect(const std::string& id) {
  const auto number = parse_integer<std::uint64_t>(id);
  if (!number) return no_such_thing("no call \"" + id + "\"");
  if (auto done = switch_.disconnect(*number); !done) return refused(done.error());
  return {204, "", "", {}};
}

http::Response Endpoints::record(const std::string& id, bool on) {
  const auto number = parse_integer<std::uint64_t>(id);
  if (!number) return no_such_thing("no call \"" + id + "\"");
  if (auto done = switch_.record(*number, on); !done) return refused(done.error());
  return {204, "", "", {}};
}

http::Response Endpoints::gateways() const {
  return json_answer(200, json_array(switch_.gateways()));
}

http::Response Endpoints::phones() const { return json_answer(200, json_array(switch_.phones())); }

http::Response Endpoints::phone(const std::string& number) const {
  const auto phone = switch_.phone(number);
  if (!phone) return no_such_thing("no phone \"" + number + "\"");
  const auto object = switch_.provisioning().object("phones", phone->number);
  return json_answer(200, object ? merged_json(to_json(*phone), object->json) : to_json(*phone));
}

/// Tells of every phone anew (I-02).
http::Response Endpoints::notify_phones() {
  const auto phones = switch_.notify_phones();
  if (!phones) return refused(phones.error());
  return json_answer(202, "{\"phones\":" + std::to_string(*phones) + "}");
}

http::Response Endpoints::bans() const {
  return json_answer(200, json_array(switch_.suspensions()));
}

/// `name`: "USER@ADDRESS", or an address for all that comes from it.
http::Response Endpoints::lift(const std::string& name) {
  const std::size_t at = name.rfind('@');
  const std::string user = at == std::string::npos ? std::string() : name.substr(0, at);
  const std::string address = at == std::string::npos ? name : name.substr(at + 1);
  if (auto lifted = switch_.lift_suspension(user, address); !lifted) return refused(lifted.error());
  return {204, "", "", {}};
}

http::Response Endpoints::accounts() const {
  auto objects = switch_.provisioning().objects("accounts");
  if (!objects) return refused(objects.error());
  std::string text = "[";
  std::size_t next = 0;  // both lists are in order of id
  for (const AccountState& state : switch_.accounts()) {
    while (next < objects->size() && (*objects)[next].id < state.settings.id)
      ++next;
    if (text.size() > 1) text += ',';
    const bool is_there = next < objects->size() && (*objects)[next].id == state.settings.id;
    text += is_there ? merged_json(to_json(state), (*objects)[next].json) : to_json(state);
  }
  return json_answer(200, text + "]");
}

http::Response Endpoints::account(const std::string& id) const {
  const auto account = switch_.account(id);
  if (!account) return no_such_thing("no account \"" + id + "\"");
  const auto object = switch_.provisioning().object("accounts", id);
  return json_answer(200,
                     object ? merged_json(to_json(*account), object->json) : to_json(*account));
}

http::Response Endpoints::pay(const std::string& id, const http::Request& request) {
  if (!switch_.account(id)) return no_such_thing("no account \"" + id + "\"");
  Booking payment;
  Complaint complaint;
  if (!request.query.empty())  // nobody shall think that a payment was only tried
    return refused(Complaint{400, "invalid_argument",
                             "unknown parameter \"" + request.query.front().first + "\"",
                             "/" + request.query.front().first});
  if (!read_payment(request.body, payment, complaint)) return refused(complaint);
  payment.account = id;
  if (const std::string* const key = request.header("idempotency-key"); key != nullptr) {
    if (!payment.idempotency_key.empty() && payment.idempotency_key != *key)
      return refused(Complaint{400, "invalid_argument",
                               "\"id\" differs from the header Idempotency-Key", "/id"});
    if (key->empty() || key->size() > idempotency_key_bytes_max || key->starts_with(own_key_prefix))
      return refused(Complaint{400, "invalid_argument",
                               "header Idempotency-Key is empty, too long, or begins as those of "
                               "the switch itself do",
                               ""});
    payment.idempotency_key = *key;
  }
  const auto answer = switch_.book(payment);
  if (!answer) {
    const ErrorCode code = answer.error().code;  // `limit`: the balance would leave its range
    if (code == ErrorCode::already_exists) return refused(answer.error(), "/id");
    const bool is_about_amount = code == ErrorCode::invalid_argument || code == ErrorCode::limit ||
                                 code == ErrorCode::wrong_state;
    return refused(answer.error(), is_about_amount ? "/amount" : "");
  }
  http::Response response = json_answer(201, payment_json(payment, *answer));
  if (answer->is_repeated) response.headers.emplace_back("Idempotency-Replayed", "true");
  return response;
}

http::Response Endpoints::ledger(const std::string& id, const http::Request& request) const {
  LedgerQuery query;
  Complaint complaint;
  query.account = id;
  if (!read_ledger_query(request, query, complaint)) return refused(complaint);
  const auto entries = switch_.ledger(query);
  if (!entries) return refused(entries.error());
  if (entries->empty() && !switch_.account(id)) return no_such_thing("no account \"" + id + "\"");
  return json_answer(200, json_array(*entries));
}

http::Response Endpoints::packages(const std::string& id) const {
  const auto periods = switch_.packages(id);
  if (!periods) return refused(periods.error());
  return json_answer(200, json_array(*periods));
}

http::Response Endpoints::phone_packages(const std::string& number, const http::Request& request) {
  const auto phone = switch_.phone(number);
  if (!phone) return no_such_thing("no phone \"" + number + "\"");
  if (request.method == "POST") return order_package("phone", phone->number, request);
  if (request.method != "GET" && request.method != "HEAD") return only(request, "GET, HEAD, POST");
  const auto periods = switch_.phone_packages(phone->number);
  return periods ? json_answer(200, json_array(*periods)) : refused(periods.error());
}

/// An order is a provisioned object like others; here its owner is that of the path. `key`: what of
/// an order names such an owner.
http::Response Endpoints::order_package(const char* key, const std::string& owner,
                                        const http::Request& request) {
  PackageOrderBody order;
  Complaint complaint;
  if (!read_package_order(request.body, key, owner, order, complaint)) return refused(complaint);
  if (switch_.provisioning().object("package_orders", order.id)) {
    return refused(Complaint{409, "already_exists",
                             "package order \"" + order.id + "\" is there already", "/id"});
  }
  http::Request put = request;
  put.method = "PUT";
  put.path = {"api", "v1", "package_orders", order.id};
  put.body = std::move(order.json);
  return *provisioned_.answer(put);
}

http::Response Endpoints::cdrs(const http::Request& request) const {
  CdrQuery query;
  Complaint complaint;
  if (!read_cdr_query(request, query, complaint)) return refused(complaint);
  const auto records = switch_.cdrs(query);
  if (!records) return refused(records.error());
  return json_answer(200, json_array(*records));
}

http::Response Endpoints::explain(const http::Request& request) const {
  ExplainRequest question;
  std::string format;
  Complaint complaint;
  const bool is_read = request.method == "POST"
                           ? read_explain(request.body, question, complaint)
                           : read_explain(request.query, question, format, complaint);
  if (!is_read) return refused(complaint);
  auto answer = switch_.explain(question);
  if (!answer)
    return refused(answer.error(), answer.error().code == ErrorCode::not_found ? "/from" : "");
  if (format != "table") return json_answer(200, std::move(*answer));
  auto table = explain_table(*answer);
  if (!table) return refused(table.error());
  return {200, "text/plain; charset=utf-8", std::move(*table), {}};
}

/// From here on new calls are refused, as after a first SIGTERM; the program goes on.
http::Response Endpoints::drain() {
  switch_.drain();
  return json_answer(200, drain_json(switch_.live_calls()));
}

/// GET: the report; POST: starts one and answers with its first report; DELETE: ends it and answers
/// with its last.
http::Response Endpoints::shadow(const http::Request& request) {
  if (request.method == "GET" || request.method == "HEAD") {
    auto report = switch_.shadow_report();
    return report ? json_answer(200, std::move(*report)) : refused(report.error());
  }
  if (request.method == "DELETE") {
    auto report = switch_.stop_shadow();
    return report ? json_answer(200, std::move(*report)) : refused(report.error());
  }
  if (request.method != "POST") return only(request, "GET, HEAD, POST, DELETE");
  if (auto started = switch_.start_shadow(request.body); !started) {
    // "/decks/0: ...": the place, as far as the message names one.
    const std::string& message = started.error().message;
    const std::size_t end = message.starts_with('/') ? message.find(": ") : std::string::npos;
    return refused(started.error(), end == std::string::npos ? "" : message.substr(0, end));
  }
  auto report = switch_.shadow_report();
  return report ? json_answer(201, std::move(*report)) : refused(report.error());
}

http::Response Endpoints::events(const http::Request& request) {
  static const std::set<std::string> known = {"call",  "gateway", "phone",
                                              "alarm", "switch",  "trace"};
  std::set<std::string> topics;
  for (const auto& [key, value] : request.query) {
    if (key != "topic")
      return refused(
          Complaint{400, "invalid_argument", "unknown parameter \"" + key + "\"", "/" + key});
    if (!known.contains(value))
      return refused(Complaint{400, "invalid_argument", "no topic \"" + value + "\"", "/topic"});
    topics.insert(value);
  }
  if (places_.use_count() > event_streams_max) {
    return refused(Complaint{
        503, "limit", "all " + std::to_string(event_streams_max) + " streams of events are in use",
        ""});
  }
  auto feed = switch_.watch(EventStream::queue_events);
  if (!feed) {
    Complaint complaint{503, error_code_name(feed.error().code), feed.error().message, ""};
    return refused(complaint);
  }
  http::Response response;
  response.content_type = "text/event-stream";
  response.stream =
      std::make_unique<EventStream>(std::move(*feed), std::move(topics), clock_, places_);
  return response;
}

}  // namespace tandem::admin
