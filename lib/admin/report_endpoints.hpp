// /api/v1/reports: questions over decks, records and the ledger.
#pragma once

#include <optional>

#include "admin/request_bodies.hpp"
#include "http/message.hpp"
#include "tandem/switch.hpp"

namespace tandem::admin {

/// The answer to a request below /api/v1/reports; nothing: there is no such report. Threading: one
/// thread at a time; may take as long as reading all records does.
std::optional<http::Response> answer_report(const Switch& served, const http::Request& request);

/// The parameters of a re-rating. False: `complaint` says why.
bool read_rerate_query(const http::Request& request, RerateQuery& query, Complaint& complaint);

}  // namespace tandem::admin
