// What endpoints of the test kit are told to do.
#include <string>
#include <string_view>
#include <utility>

#include "capi/sim.hpp"
#include "capi/values.hpp"

namespace tandem::capi {

namespace {

using Headers = std::vector<std::pair<std::string, std::string>>;

/// "Name: value", a line each.
Result<Headers> read_headers(const char* text) {
  Headers headers;
  std::string_view rest = view(text);
  while (!rest.empty()) {
    const std::size_t end = rest.find('\n');
    const std::string_view line = rest.substr(0, end);
    rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
    if (line.empty()) continue;
    const std::size_t colon = line.find(": ");
    if (colon == std::string_view::npos || colon == 0)
      return Error{ErrorCode::invalid_argument,
                   "header line \"" + std::string(line.substr(0, 100)) + "\" is no Name: value"};
    headers.emplace_back(line.substr(0, colon), line.substr(colon + 2));
  }
  return headers;
}

Result<void> check(const char* name, std::int64_t value, std::int64_t low, std::int64_t high) {
  if (value >= low && value <= high) return {};
  return Error{ErrorCode::invalid_argument, std::string(name) + " " + std::to_string(value) +
                                                " is not in " + std::to_string(low) + ".." +
                                                std::to_string(high)};
}

Result<SipTransport> read_transport(const char* text) {
  const std::string_view name = view(text);
  for (const SipTransport transport : {SipTransport::udp, SipTransport::tcp, SipTransport::tls,
                                       SipTransport::ws, SipTransport::wss}) {
    if (name == transport_name(transport)) return transport;
  }
  if (name.empty()) return SipTransport::udp;
  return Error{ErrorCode::invalid_argument,
               "transport \"" + std::string(name.substr(0, 40)) + "\" is none"};
}

/// What both kinds of plan have of media.
template <class Given, class Plan>
Result<void> read_media(const Given& given, Plan& plan) {
  for (auto checked :
       {check("ptime_ms", given.ptime_ms == 0 ? 20 : given.ptime_ms, 10, 200),
        check("rtp_pattern", given.rtp_pattern, 0, 255), check("rtp_type", given.rtp_type, 0, 127),
        check("srtp", given.srtp, 0, TANDEM_SIM_SRTP_REQUIRED),
        check("dtls_role", given.dtls_role, 0, TANDEM_DTLS_CLIENT),
        check("session_timer_s", given.session_timer_s, 0, 7200)}) {
    if (!checked) return checked;
  }
  auto headers = read_headers(given.headers);
  if (!headers) return headers.error();
  plan.headers = std::move(*headers);
  plan.sdp = copy(given.sdp);
  if (given.formats != nullptr) plan.formats = given.formats;
  if (given.ptime_ms != 0) plan.ptime_ms = given.ptime_ms;
  if (given.rtp_pattern != 0) plan.rtp_pattern = static_cast<std::uint8_t>(given.rtp_pattern);
  plan.rtp_type = static_cast<std::uint8_t>(given.rtp_type);
  plan.session_timer_s = given.session_timer_s;
  plan.rel100 = given.rel100 != 0;
  plan.requires_rel100 = given.requires_rel100 != 0;
  plan.srtp = given.srtp == TANDEM_SIM_SRTP_REQUIRED   ? SrtpMode::required
              : given.srtp == TANDEM_SIM_SRTP_OPTIONAL ? SrtpMode::optional
                                                       : SrtpMode::off;
  plan.dtls.is_on = given.dtls != 0;
  plan.dtls.has_ice = given.dtls_ice != 0;
  plan.dtls.role = static_cast<DtlsRole>(given.dtls_role);
  plan.dtls.shows_other_certificate = given.dtls_other_certificate != 0;
  plan.dtls.has_wrong_password = given.ice_wrong_password != 0;
  return {};
}

}  // namespace

Result<sim::DialPlan> read_dial_plan(const tandem_dial_plan* given) {
  sim::DialPlan plan;
  if (given == nullptr) return plan;
  const auto read = read_struct(given, "tandem_dial_plan");
  if (!read) return read.error();
  const auto transport = read_transport(read->transport);
  if (!transport) return transport.error();
  if (auto checked = check("max_forwards", read->max_forwards, 0, 255); !checked)
    return checked.error();
  if (auto media = read_media(*read, plan); !media) return media.error();
  plan.destination = copy(read->destination);
  plan.transport = *transport;
  plan.display = copy(read->display);
  plan.username = copy(read->username);
  plan.password = copy(read->password);
  if (read->content_type != nullptr) plan.content_type = read->content_type;
  plan.delayed_offer = read->delayed_offer != 0;
  plan.send_rtp = read->send_rtp != 0;
  plan.cancel_after_us = read->cancel_after_us;
  plan.hang_up_after_us = read->hang_up_after_us;
  if (read->max_forwards != 0) plan.max_forwards = read->max_forwards;
  plan.npdi = read->npdi != 0;
  plan.rn = copy(read->rn);
  plan.replaces = copy(read->replaces);
  plan.requires_replaces = read->requires_replaces != 0;
  return plan;
}

Result<sim::AnswerPlan> read_answer_plan(const tandem_answer_plan* given) {
  const auto read = read_struct(given, "tandem_answer_plan");
  if (!read) return read.error();
  if (read->status != 200 && (read->status < 300 || read->status > 699))
    return Error{ErrorCode::invalid_argument,
                 "status " + std::to_string(read->status) + " is neither 200 nor 300..699"};
  sim::AnswerPlan plan;
  const std::int32_t progress = read->progress_status == 0 ? 183 : read->progress_status;
  if (auto checked = check("progress_status", progress, 101, 199); !checked) return checked.error();
  if (auto media = read_media(*read, plan); !media) return media.error();
  plan.responds = read->is_silent == 0;
  plan.status = read->status;
  plan.ring_after_us = read->ring_after_us;
  plan.ring_with_sdp = read->ring_with_sdp != 0;
  plan.progress_after_us = read->progress_after_us;
  plan.progress_status = progress;
  plan.progress_with_sdp = read->progress_without_sdp == 0;
  plan.answer_after_us = read->answer_after_us;
  plan.answer_without_sdp = read->answer_without_sdp != 0;
  plan.hang_up_after_us = read->hang_up_after_us;
  plan.send_rtp = read->send_rtp != 0;
  plan.q850_cause = read->q850_cause;
  plan.retry_after_s = read->retry_after_s;
  plan.username = copy(read->username);
  plan.password = copy(read->password);
  if (read->realm != nullptr) plan.realm = read->realm;
  return plan;
}

}  // namespace tandem::capi
