// Any bytes: the scanner stays inside them, its views too, and what it takes for good can be
// answered and read again.
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "sip/message.hpp"
#include "sip/writer.hpp"

namespace {

using namespace tandem::sip;

void require(bool holds) {
  if (!holds) std::abort();
}

void require_inside(std::string_view whole, std::string_view part) {
  if (part.empty()) return;
  require(part.data() >= whole.data() && part.data() + part.size() <= whole.data() + whole.size());
}

void check_views(std::string_view bytes, const Message& message) {
  require(message.header_count <= Limits::headers_max && message.via_count <= Limits::vias_max);
  for (std::size_t i = 0; i < message.header_count; ++i) {
    require_inside(bytes, message.headers[i].name);
    require_inside(bytes, message.headers[i].value);
  }
  for (std::size_t i = 0; i < message.via_count; ++i) {
    require_inside(bytes, message.vias[i].value);
    require_inside(bytes, message.vias[i].branch);
  }
  require_inside(bytes, message.from.value);
  require_inside(bytes, message.to.params);
  require_inside(bytes, message.body);
  require(message.size <= bytes.size());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static Message message;
  static Message again;
  static std::array<char, 1 << 18> buffer;
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);

  OwnerKey key;
  const bool has_owner = scan_owner(bytes, key);
  require_inside(bytes, key.branch);
  require_inside(bytes, key.to_tag);
  require_inside(bytes, key.call_id);

  for (const Framing framing : {Framing::stream, Framing::datagram}) {
    const Fault fault = scan(bytes, framing, message);
    check_views(bytes, message);
    require(framing == Framing::stream || fault.kind != Fault::Kind::incomplete);
    const bool is_good = fault.kind == Fault::Kind::none;
    if (is_good) {
      require(has_owner && key.call_id == message.call_id && key.to_tag == message.to.tag &&
              key.branch == message.vias[0].branch && key.is_request == message.is_request);
    }
    if (!message.is_request || (!is_good && fault.kind != Fault::Kind::answer)) continue;
    MessageWriter writer(buffer.data(), buffer.size());
    ResponseHead head;
    head.status = is_good ? 200 : fault.status;
    head.to_tag = "t";
    head.source = {tandem::IpAddress::ipv4(192, 0, 2, 1), 5060};
    head.record_route = true;
    write_response_head(writer, message, head);
    writer.finish();
    require(writer.ok());
    if (!is_good) continue;
    const Fault second = scan(writer.view(), Framing::stream, again);
    require(second.kind == Fault::Kind::none);
    require(again.size == writer.view().size() && again.via_count == message.via_count &&
            again.vias[0].branch == message.vias[0].branch && again.cseq == message.cseq);
  }

  Uri uri;
  (void)parse_uri(bytes, uri);  // only that it ends and stays inside
  std::string_view list = bytes;
  std::size_t elements = 0;
  while (!list.empty() && elements++ < size)
    (void)next_element(list);
  require(list.empty());
  bool found = false;
  (void)find_param(bytes, "tag", &found);
  return 0;
}
