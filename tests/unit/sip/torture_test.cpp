#include <doctest/doctest.h>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <string>
#include <vector>

#include "sip/message.hpp"
#include "sip/sdp.hpp"
#include "support/source_folder.hpp"

using namespace tandem::sip;

namespace {

namespace fs = std::filesystem;

std::string bytes_of(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

std::vector<std::string> columns_of(const std::string& line) {
  std::vector<std::string> columns(1);
  for (char c : line) {
    if (c == '\t') {
      columns.emplace_back();
    } else {
      columns.back() += c;
    }
  }
  return columns;
}

fs::path testdata() {
  return fs::path(tandem::test::source_folder()) / ".." / "shared" / "testdata";
}

bool is_named_in(const std::string& text, int status) {
  return text.find(std::to_string(status)) != std::string::npos;
}

}  // namespace

TEST_CASE("scan: the torture messages of RFC 4475 and RFC 5118 come out as the RFCs want") {
  const fs::path folder = testdata() / "sip-torture";
  std::ifstream table(folder / "expected.tsv");
  if (!table) {
    std::printf(
        "not run: the torture messages of RFC 4475 and RFC 5118 (no "
        "../shared/testdata/sip-torture)\n");
    return;
  }
  auto message = std::make_unique<Message>();
  std::string line;
  std::getline(table, line);
  int files = 0;
  while (std::getline(table, line)) {
    const std::vector<std::string> columns = columns_of(line);
    REQUIRE(columns.size() >= 9);
    const std::string& file = columns[0];
    const std::string& syntax = columns[4];
    const std::string& expected = columns[6];
    const std::string& acceptable = columns[7];
    const bool is_request = columns[5].compare(0, 7, "request") == 0;
    CAPTURE(file);
    CAPTURE(expected);
    const std::string bytes = bytes_of(folder / file);
    REQUIRE(!bytes.empty());
    const Fault fault = scan(bytes, Framing::datagram, *message);
    CAPTURE(fault.text);
    ++files;
    if (syntax == "valid") {
      CHECK(fault.kind == Fault::Kind::none);
    } else if (syntax == "invalid" && !is_request) {
      CHECK(fault.kind == Fault::Kind::drop);
    } else if (syntax == "invalid") {
      if (fault.kind == Fault::Kind::drop) {
        CHECK((expected + acceptable).find("drop") != std::string::npos);
      } else if (fault.kind == Fault::Kind::answer) {
        CHECK((is_named_in(expected, fault.status) || is_named_in(acceptable, fault.status)));
      } else {
        CHECK(acceptable.find("accept") != std::string::npos);
      }
    } else if (fault.kind == Fault::Kind::answer) {
      // What the RFC leaves to the layer above may be refused here only with the status it names.
      CHECK((is_named_in(expected, fault.status) || is_named_in(acceptable, fault.status)));
    } else if (fault.kind == Fault::Kind::drop) {
      CHECK(acceptable.find("drop") != std::string::npos);
    }
  }
  CHECK(files == 62);

  const auto scan_file = [&](const char* name, std::string& bytes) {
    bytes = bytes_of(folder / name);
    return scan(bytes, Framing::datagram, *message).kind;
  };
  std::string bytes;
  REQUIRE(scan_file("rfc4475/wsinv.dat", bytes) == Fault::Kind::none);
  CHECK(message->via_count == 3);
  CHECK(message->max_forwards == 68);
  CHECK(message->to.tag == "1918181833n");
  CHECK(message->vias[2].branch == "z9hG4bK30239");
  REQUIRE(scan_file("rfc4475/esc02.dat", bytes) == Fault::Kind::none);
  CHECK(message->method == Method::unknown);
  REQUIRE(scan_file("rfc4475/dblreq.dat", bytes) == Fault::Kind::none);
  CHECK(message->size < bytes.size());
  CHECK(message->method == Method::register_);
  REQUIRE(scan_file("rfc4475/semiuri.dat", bytes) == Fault::Kind::none);
  Uri uri;
  REQUIRE(parse_uri(message->request_uri, uri));
  CHECK(uri.user == "user;par=u%40example.net");
  REQUIRE(scan_file("rfc4475/cparam01.dat", bytes) == Fault::Kind::none);
  CHECK(message->contact.params == ";unknownparam");
  REQUIRE(scan_file("rfc4475/cparam02.dat", bytes) == Fault::Kind::none);
  CHECK(message->contact.uri.find("unknownparam") != std::string_view::npos);
  REQUIRE(scan_file("rfc5118/port-ambiguous.dat", bytes) == Fault::Kind::none);
  REQUIRE(parse_uri(message->request_uri, uri));
  CHECK(uri.host == "2001:db8::10:5070");
  CHECK(uri.port == 0);
  REQUIRE(scan_file("rfc5118/port-unambiguous.dat", bytes) == Fault::Kind::none);
  REQUIRE(parse_uri(message->request_uri, uri));
  CHECK(uri.port == 5070);
  REQUIRE(scan_file("rfc5118/mult-ip-in-sdp.dat", bytes) == Fault::Kind::none);
  const tandem::Result<SdpSession> session = parse_sdp(message->body);
  REQUIRE(session.ok());
  REQUIRE(session->media_count == 2);
  CHECK(session->media[0].address.is_ipv4());
  CHECK(session->media[1].address.is_ipv6());
}

TEST_CASE(
    "scan: malformed messages of other projects neither crash it nor leave it reading outside") {
  const fs::path folder = testdata() / "sip-malformed";
  if (!fs::exists(folder)) {
    std::printf(
        "not run: the malformed messages of other projects (no "
        "../shared/testdata/sip-malformed)\n");
    return;
  }
  auto message = std::make_unique<Message>();
  int files = 0;
  for (const fs::directory_entry& entry : fs::recursive_directory_iterator(folder)) {
    if (!entry.is_regular_file()) continue;
    const std::string bytes = bytes_of(entry.path());
    OwnerKey key;
    const Fault fault = scan(bytes, Framing::datagram, *message);
    if (fault.kind == Fault::Kind::none) CHECK(scan_owner(bytes, key));
    if (!message->body.empty()) (void)parse_sdp(message->body);  // only that it ends
    (void)scan(bytes, Framing::stream, *message);                // likewise
    ++files;
  }
  CHECK(files > 100);
}
