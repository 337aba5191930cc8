#include <algorithm>
#include <array>
#include <span>

#include "admin/request_bodies.hpp"
#include "switch/config_reader_json.hpp"
#include "tandem/version.h"

namespace tandem::admin {
namespace {

using config::Json;

constexpr std::size_t text_bytes_max = 256;
constexpr std::size_t memo_bytes_max = 1024;

std::string dump(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

bool fail(Complaint& complaint, std::string message, std::string pointer) {
  complaint = {400, "invalid_argument", std::move(message), std::move(pointer)};
  return false;
}

// What the bodies may hold.
constexpr std::array<std::string_view, 6> payment_keys = {"amount",    "memo", "kind",
                                                          "reference", "id",   "covered_only"};
constexpr std::array<std::string_view, 3> rerate_keys = {"reason", "author", "dry_run"};
constexpr std::array<std::string_view, 8> explain_keys = {
    "from", "caller", "callee", "at", "lrn", "callee_region", "caller_region", "forwarder"};

/// An object with no other keys than `known`. RFC 6901 escapes are not needed: known keys have
/// none.
bool read_object(std::string_view body, std::span<const std::string_view> known, Json& out,
                 Complaint& complaint) {
  auto parsed = config::parse_json(body);
  if (!parsed) return fail(complaint, parsed.error().message, "");
  out = std::move(*parsed);
  if (!out.is_object()) return fail(complaint, "body is no JSON object", "");
  for (const auto& item : out.items()) {
    if (std::find(known.begin(), known.end(), item.key()) == known.end()) {
      std::string pointer = "/";
      for (const char c : item.key())
        pointer += c == '~' ? "~0" : c == '/' ? "~1" : std::string(1, c);
      return fail(complaint, "unknown key \"" + item.key() + "\"", pointer);
    }
  }
  return true;
}

bool read_text(const Json& object, const char* key, bool is_required, std::size_t bytes_max,
               std::string& out, Complaint& complaint) {
  const std::string pointer = std::string("/") + key;
  const auto found = object.find(key);
  if (found == object.end() || found->is_null()) {
    return !is_required || fail(complaint, std::string("missing \"") + key + "\"", pointer);
  }
  if (!found->is_string())
    return fail(complaint, std::string("\"") + key + "\" is no text", pointer);
  out = found->get<std::string>();
  if (out.size() > bytes_max) {
    return fail(complaint,
                "text of " + std::to_string(out.size()) + " bytes is longer than " +
                    std::to_string(bytes_max),
                pointer);
  }
  return true;
}

bool take_explain(const Json& object, ExplainRequest& request, Complaint& complaint) {
  std::string at, caller_region, forwarder;
  LrnRecord lrn;
  if (!read_text(object, "from", true, text_bytes_max, request.from, complaint) ||
      !read_text(object, "caller", true, text_bytes_max, request.caller, complaint) ||
      !read_text(object, "callee", true, text_bytes_max, request.callee, complaint) ||
      !read_text(object, "at", false, text_bytes_max, at, complaint) ||
      !read_text(object, "lrn", false, text_bytes_max, lrn.lrn, complaint) ||
      !read_text(object, "callee_region", false, text_bytes_max, lrn.region, complaint) ||
      !read_text(object, "caller_region", false, text_bytes_max, caller_region, complaint) ||
      !read_text(object, "forwarder", false, text_bytes_max, forwarder, complaint)) {
    return false;
  }
  const auto has = [&](const char* key) {
    const auto found = object.find(key);
    return found != object.end() && !found->is_null();
  };
  if (has("lrn") || has("callee_region")) request.lrn = std::move(lrn);
  if (has("caller_region")) request.caller_region = std::move(caller_region);
  if (has("forwarder")) request.forwarder = std::move(forwarder);
  if (at.empty()) return true;
  auto parsed = parse_time_us(at);
  if (!parsed) return fail(complaint, parsed.error().message, "/at");
  request.at_us = *parsed;
  return true;
}

}  // namespace

std::string to_json(const Complaint& complaint) {
  return dump({{"error",
                {{"code", complaint.code},
                 {"message", complaint.message},
                 {"pointer", complaint.pointer}}}});
}

bool read_payment(std::string_view body, Booking& payment, Complaint& complaint) {
  Json object;
  std::string amount, kind;
  if (!read_object(body, payment_keys, object, complaint) ||
      !read_text(object, "kind", false, text_bytes_max, kind, complaint)) {
    return false;
  }
  if (!kind.empty()) {
    auto parsed = ledger_kind_from_name(kind);
    if (!parsed) return fail(complaint, parsed.error().message, "/kind");
    payment.kind = *parsed;
  }
  const bool finds_amount = payment.kind == LedgerKind::zeroing;
  if (!read_text(object, "amount", !finds_amount, text_bytes_max, amount, complaint) ||
      !read_text(object, "memo", false, memo_bytes_max, payment.memo, complaint) ||
      !read_text(object, "reference", false, text_bytes_max, payment.reference, complaint) ||
      !read_text(object, "id", false, idempotency_key_bytes_max, payment.idempotency_key,
                 complaint)) {
    return false;
  }
  if (!finds_amount || !amount.empty()) {
    auto parsed = Amount::parse(amount);
    if (!parsed) return fail(complaint, parsed.error().message, "/amount");
    payment.amount = *parsed;
  }
  if (kind.empty() && payment.amount.is_negative()) payment.kind = LedgerKind::deduction;
  if (const auto covered = object.find("covered_only");
      covered != object.end() && !covered->is_null()) {
    if (!covered->is_boolean())
      return fail(complaint, "\"covered_only\" is neither true nor false", "/covered_only");
    payment.is_covered_only = covered->get<bool>();
  }
  if (payment.idempotency_key.starts_with(own_key_prefix))
    return fail(complaint, "\"id\" begins as those of the switch itself do", "/id");
  if (payment.reference.size() > 128)
    return fail(complaint, "\"reference\" is longer than 128 bytes", "/reference");
  // What is left is a kind that does not go with its amount, or that cannot be booked.
  auto checked = check_booking(payment);
  const bool is_about_kind = ledger_kind_is_booked(payment.kind);
  return checked.ok() ||
         fail(complaint, checked.error().message, is_about_kind ? "/amount" : "/kind");
}

bool read_rerate_application(std::string_view body, RerateApplication& application,
                             Complaint& complaint) {
  Json object;
  if (!read_object(body, rerate_keys, object, complaint) ||
      !read_text(object, "reason", true, correction_text_bytes_max, application.reason,
                 complaint) ||
      !read_text(object, "author", false, correction_text_bytes_max, application.author,
                 complaint)) {
    return false;
  }
  const auto dry_run = object.find("dry_run");
  if (dry_run == object.end() || dry_run->is_null()) return true;
  if (!dry_run->is_boolean())
    return fail(complaint, "\"dry_run\" is neither true nor false", "/dry_run");
  application.is_dry_run = dry_run->get<bool>();
  return true;
}

bool read_explain(std::string_view body, ExplainRequest& request, Complaint& complaint) {
  Json object;
  return read_object(body, explain_keys, object, complaint) &&
         take_explain(object, request, complaint);
}

bool read_explain(const std::vector<std::pair<std::string, std::string>>& query,
                  ExplainRequest& request, std::string& format, Complaint& complaint) {
  Json object = Json::object();
  for (const auto& [key, value] : query) {
    const bool is_known = key == "format" || std::find(explain_keys.begin(), explain_keys.end(),
                                                       key) != explain_keys.end();
    if (!is_known) return fail(complaint, "unknown parameter \"" + key + "\"", "/" + key);
    if (!object.emplace(key, value).second)
      return fail(complaint, "parameter was given twice", "/" + key);
  }
  format = object.value("format", "json");
  if (format != "json" && format != "table")
    return fail(complaint, "\"" + format + "\" is not one of json, table", "/format");
  return take_explain(object, request, complaint);
}

bool read_package_order(std::string_view body, const char* key, const std::string& owner,
                        PackageOrderBody& order, Complaint& complaint) {
  auto object = config::parse_json(body);
  if (!object) return fail(complaint, object.error().message, "");
  if (!object->is_object()) return fail(complaint, "body is no JSON object", "");
  std::string given;
  if (!read_text(*object, "id", true, text_bytes_max, order.id, complaint) ||
      !read_text(*object, key, false, text_bytes_max, given, complaint))
    return false;
  if (!given.empty() && given != owner) {
    return fail(complaint, "\"" + given + "\" is not the " + key + " of the path",
                std::string("/") + key);
  }
  (*object)[key] = owner;
  order.json = dump(*object);
  return true;
}

std::string payment_json(const Booking& payment, const BookingAnswer& answer) {
  return dump({{"id", payment.account},
               {"amount", answer.amount.to_string()},
               {"balance", answer.balance.to_string()},
               {"memo", payment.memo},
               {"kind", ledger_kind_name(payment.kind)},
               {"reference", payment.reference},
               {"entry", answer.id}});
}

std::string events_lost_json(std::uint64_t count, std::int64_t at_us) {
  return dump({{"id", 0}, {"type", "events_lost"}, {"at_us", at_us}, {"count", count}});
}

std::string drain_json(std::size_t live_calls) {
  return dump({{"status", "draining"}, {"calls", live_calls}});
}

std::string health_json(std::string_view status) {
  return dump({{"status", status}, {"version", TANDEM_VERSION_STRING}});
}

}  // namespace tandem::admin
