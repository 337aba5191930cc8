// JSON bodies of requests, and of errors.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tandem/switch.hpp"

namespace tandem::admin {

/// What is wrong with a request, as the client is told.
struct Complaint {
  int status = 400;
  std::string code;  ///< Name of an ErrorCode, or an HTTP word such as "unauthorized".
  std::string message;
  std::string
      pointer;  ///< Into the body, or "/NAME" of a query parameter; "" when it is about neither.
};
/// {"error": {"code", "message", "pointer"}}.
std::string to_json(const Complaint& complaint);

/// Body of POST /api/v1/accounts/ID/payments: everything but the account. Without a kind the sign
/// of the amount says whether it is a payment or a deduction. False: `complaint` says why.
bool read_payment(std::string_view body, Booking& payment, Complaint& complaint);

/// Body of POST /api/v1/accounts/ID/packages, or of /api/v1/phones/NUMBER/packages: an object of
/// `package_orders[]`, whose owner is the path's.
struct PackageOrderBody {
  std::string id;
  std::string json;  ///< With the owner.
};
/// `key`: "account" or "phone", of which the order is. False: `complaint` says why.
bool read_package_order(std::string_view body, const char* key, const std::string& owner,
                        PackageOrderBody& order, Complaint& complaint);

/// Body of POST /api/v1/reports/rerate: reason, author, dry_run (true unless it says false). False:
/// `complaint` says why.
bool read_rerate_application(std::string_view body, RerateApplication& application,
                             Complaint& complaint);

/// Body of POST /api/v1/explain: from, caller, callee; at, lrn, callee_region and caller_region or
/// null.
bool read_explain(std::string_view body, ExplainRequest& request, Complaint& complaint);
/// The same of the parameters of GET /api/v1/explain; `format` is "json" or "table".
bool read_explain(const std::vector<std::pair<std::string, std::string>>& query,
                  ExplainRequest& request, std::string& format, Complaint& complaint);

/// {"id": ..., "amount": ..., "balance": ..., "memo": ..., "kind": ..., "reference": ...,
/// "entry": ...} of a booked payment; of a repetition the same.
std::string payment_json(const Booking& payment, const BookingAnswer& answer);

/// {"id": 0, "type": "events_lost", "at_us": ..., "count": ...} of a stream of events.
std::string events_lost_json(std::uint64_t count, std::int64_t at_us);

/// {"status": "draining", "calls": ...} of a switch that takes no new calls.
std::string drain_json(std::size_t live_calls);

/// {"status": ..., "version": ...} of /healthz.
std::string health_json(std::string_view status);

}  // namespace tandem::admin
