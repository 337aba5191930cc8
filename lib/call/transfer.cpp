#include "call/transfer.hpp"

#include <algorithm>
#include <array>

#include "sip/sdp.hpp"
#include "sip/writer.hpp"

namespace tandem::call {

DialogRequest referral_notice(std::string_view event, int status, bool is_final,
                              std::string& text) {
  std::array<char, 128> line;
  sip::MessageWriter writer(line.data(), line.size());
  writer.status_line(status);
  text = writer.view();
  DialogRequest notice;
  notice.method = "NOTIFY";
  notice.body = {"message/sipfrag;version=2.0", text};
  notice.headers = {
      {"Event", event},
      {"Subscription-State", is_final ? "terminated;reason=noresource" : "active;expires=300"}};
  return notice;
}

bool leads_elsewhere(std::string_view before, std::string_view after) {
  const auto old_session = sip::parse_sdp(before);
  const auto new_session = sip::parse_sdp(after);
  if (!old_session || !new_session || old_session->media_count != new_session->media_count)
    return true;
  const auto media = [](const sip::SdpSession& session) {
    return std::pair(session.media.begin(), session.media.begin() + session.media_count);
  };
  const auto [old_begin, old_end] = media(*old_session);
  return !std::equal(old_begin, old_end, new_session->media.begin(),
                     [](const sip::SdpMedia& a, const sip::SdpMedia& b) {
                       if (a.port == 0 && b.port == 0) return true;
                       return a.port == b.port && a.address == b.address &&
                              a.direction == b.direction &&
                              a.effective_rtcp_port() == b.effective_rtcp_port();
                     });
}

}  // namespace tandem::call
