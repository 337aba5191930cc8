#include "sip/referral.hpp"

#include <doctest/doctest.h>

#include <memory>
#include <string>

using namespace tandem;
using namespace tandem::sip;

namespace {

/// What of a REFER is understood; `user` is "" when it is not.
struct Read {
  std::string user, referred_by, dialog;
  std::uint32_t sequence = 0;
};

Read read(const std::string& headers) {
  const std::string text =
      "REFER sip:1@10.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.0.2;branch=z9hG4bK1\r\n"
      "From: <sip:2@10.0.0.2>;tag=a\r\nTo: <sip:1@10.0.0.1>;tag=b\r\n"
      "Call-ID: c\r\nCSeq: 314 REFER\r\nContact: <sip:2@10.0.0.2>\r\n" +
      headers + "Content-Length: 0\r\n\r\n";
  const auto message = std::make_unique<Message>();
  REQUIRE(scan(text, Framing::datagram, *message).kind == Fault::Kind::none);
  const auto room = std::make_unique<Unescaped>();
  Referral referral;
  if (!read_referral(*message, *room, referral)) return {};
  const DialogName& name = referral.replaces;
  std::string dialog;
  for (const std::string_view part : {name.call_id, name.own_tag, name.peer_tag})
    dialog.append(part) += ' ';
  return {std::string(referral.user), std::string(referral.referred_by), dialog, referral.sequence};
}

}  // namespace

TEST_CASE("Referral: the number of Refer-To, in every form it may have (T-04, RFC 3515)") {
  CHECK(read("Refer-To: <sip:4420@gw.example>\r\n").user == "4420");
  CHECK(read("r: sip:4420@10.0.0.1\r\n").user == "4420");
  CHECK(read("Refer-To: \"B\" <sips:%2b4420;isub=1@10.0.0.1:5061;user=phone>;x=y\r\n").user ==
        "+4420");
  CHECK(read("Refer-To: <tel:+4420;phone-context=x>\r\n").user == "+4420");
  CHECK(read("Refer-To: <sip:4420@10.0.0.1;method=INVITE>\r\n").user == "4420");
  const Read whole = read("Refer-To: <sip:1@a>\r\nReferred-By: <sip:7@b>;cid=\"x\"\r\n");
  CHECK(whole.referred_by == "<sip:7@b>;cid=\"x\"");
  CHECK(whole.sequence == 314);
  CHECK(read("Refer-To: <sip:1@a>\r\nb: <sip:7@b>\r\n").referred_by == "<sip:7@b>");
  CHECK(read("Refer-To: <sip:1@a>\r\n").referred_by.empty());
}

TEST_CASE("Referral: what is no number to call is refused (T-04, RFC 3515)") {
  for (const char* value : {"<sip:10.0.0.1>", "<http://10.0.0.1/4420>", "<mailto:4420@a>",
                            "<sip:4420@10.0.0.1;method=BYE>", "<sip:1@a>, <sip:2@a>", "<>"}) {
    CAPTURE(value);
    CHECK(read("Refer-To: " + std::string(value) + "\r\n").user.empty());
  }
  CHECK(read("").user.empty());
}

TEST_CASE("Referral: a dialog that shall be replaced is named in the URI (T-05, RFC 3891)") {
  const Read whole = read(
      "Refer-To: "
      "<sip:1@a?X=1&replaces=c%40d%3Bto-tag%3Dours%3Bfrom-tag%3Dtheirs%3Bearly-only>\r\n");
  CHECK(whole.user == "1");
  CHECK(whole.dialog == "c@d ours theirs ");
  CHECK(read("Refer-To: <sip:a?Replaces=c%3Bfrom-tag%3Dt%3Bto-tag%3Do>\r\n").dialog == "c o t ");
  CHECK(read("Refer-To: <sip:1@a>\r\n").dialog == "   ");
  for (const char* value :
       {"c", "c%3Bto-tag%3Do", "%3Bto-tag%3Do%3Bfrom-tag%3Dt", "c%3Bto-tag%3D%3Bfrom-tag%3Dt"}) {
    CAPTURE(value);
    CHECK(read("Refer-To: <sip:1@a?Replaces=" + std::string(value) + ">\r\n").user.empty());
  }
}

TEST_CASE("Replaces: an INVITE names one dialog, whole and once (RFC 3891 section 3)") {
  struct Found {
    bool is_good = false, is_there = false, is_early_only = false;
    std::string dialog;
  };
  const auto find = [](const std::string& headers) {
    const std::string text =
        "INVITE sip:1@10.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.0.2;branch=z9hG4bK1\r\n"
        "From: <sip:2@10.0.0.2>;tag=a\r\nTo: <sip:1@10.0.0.1>\r\n"
        "Call-ID: c\r\nCSeq: 1 INVITE\r\nContact: <sip:2@10.0.0.2>\r\n" +
        headers + "Content-Length: 0\r\n\r\n";
    const auto message = std::make_unique<Message>();
    Found found;
    if (scan(text, Framing::datagram, *message).kind != Fault::Kind::none) return found;
    Replacement replacement;
    found.is_good = read_replacement(*message, replacement, found.is_there);
    found.is_early_only = replacement.is_early_only;
    for (const std::string_view part :
         {replacement.dialog.call_id, replacement.dialog.own_tag, replacement.dialog.peer_tag})
      found.dialog.append(part) += ' ';
    return found;
  };
  CHECK(find("").is_good);
  CHECK_FALSE(find("").is_there);
  const Found found = find("Replaces: a@b ; from-tag=theirs;to-tag=ours\r\n");
  CHECK(found.is_good);
  CHECK(found.is_there);
  CHECK_FALSE(found.is_early_only);
  CHECK(found.dialog == "a@b ours theirs ");
  CHECK(find("replaces: a;to-tag=o;early-only;from-tag=t\r\n").is_early_only);
  for (const char* bad :
       {"Replaces: a\r\n", "Replaces: a;to-tag=o\r\n", "Replaces: ;to-tag=o;from-tag=t\r\n",
        "Replaces: a;to-tag=o;from-tag=t, b;to-tag=o;from-tag=t\r\n",
        "Replaces: a;to-tag=o;from-tag=t\r\nReplaces: a;to-tag=o;from-tag=t\r\n",
        "Replaces: a;to-tag=o;from-tag=t\r\nJoin: a;to-tag=o;from-tag=t\r\n"}) {
    CAPTURE(bad);
    CHECK_FALSE(find(bad).is_good);
  }
}
