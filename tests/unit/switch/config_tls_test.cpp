// Keys of TLS in the configuration.
#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "support/certificates.hpp"
#include "tandem/config.hpp"

using namespace tandem;
using tandem::test::Certificates;

namespace {

ConfigReading read(const std::string& sip, const std::string& vendor_sip = "{}") {
  return read_config(R"({"sip": )" + sip + R"(, "provision": {
      "accounts": [{"id": "acme", "rate_deck": "d"}], "rate_decks": [{"id": "d", "rates": []}],
      "vendor_gateways": [{"id": "v1", "addresses": ["127.0.0.2"], "sip": )" +
                         vendor_sip + "}]}}",
                     ".");
}

std::string errors(const ConfigReading& reading) {
  std::string all;
  for (const ConfigError& error : reading.errors)
    all += error.pointer + ": " + error.message + "\n";
  return all;
}

}  // namespace

TEST_CASE("read_config: listeners and files of TLS, and what is asked of a vendor (P-01)") {
  Certificates certificates;
  const auto files = certificates.issue("own", {"DNS:a.example"});
  const std::string ca = certificates.authority();
  const auto reading =
      read(R"({"listen": ["udp:127.0.0.1", "tls:127.0.0.1", {"address": "tls:127.0.0.1:5071",
           "client_certificate": "require"}], "tls": {"certificate": ")" +
               files.certificate + R"(", "key": ")" + files.key + R"(", "ca": ")" + ca +
               R"(", "version_min": "1.3", "handshakes_per_s": 50, "peer_handshakes_per_s": 0}})",
           R"({"transport": "tls", "tls_name": "gw.example", "tls_verify": false,
               "local_address": "127.0.0.1:5071"})");
  CHECK(errors(reading) == "");
  const SwitchConfig& config = reading.config;
  REQUIRE(config.sip_listen.size() == 3);
  CHECK(config.sip_listen[1].transport == SipTransport::tls);
  CHECK(config.sip_listen[1].address.to_string() == "127.0.0.1:5061");
  CHECK(config.sip_listen[1].client_certificate == ClientCertificate::none);
  CHECK(config.sip_listen[2].client_certificate == ClientCertificate::require);
  REQUIRE(config.sip_tls);
  CHECK(*config.sip_tls == TlsConfig{files.certificate, files.key, ca, true, {50, 0}});
  const SipOptions& sip = config.provision.vendor_gateways[0].sip;
  CHECK(sip.transport == SipTransport::tls);
  CHECK(sip.tls_name == "gw.example");
  CHECK_FALSE(sip.tls_verify);
}

TEST_CASE("read_config: listeners for WebSocket, and the pages that may connect (P-01)") {
  Certificates certificates;
  const auto files = certificates.issue("own", {"DNS:a.example"});
  const auto with = [&](const std::string& listen) {
    return read(R"({"listen": [)" + listen + R"(], "tls": {"certificate": ")" + files.certificate +
                R"(", "key": ")" + files.key + R"("}})");
  };
  const auto good = with(R"("ws:127.0.0.1", {"address": "wss:127.0.0.1:8443",
      "origins": ["https://phone.example", "http://[::1]:80"]})");
  CHECK(errors(good) == "");
  REQUIRE(good.config.sip_listen.size() == 2);
  CHECK(good.config.sip_listen[0].transport == SipTransport::ws);
  CHECK(good.config.sip_listen[0].address.to_string() == "127.0.0.1:80");
  CHECK(good.config.sip_listen[0].origins.empty());
  CHECK(good.config.sip_listen[1].transport == SipTransport::wss);
  CHECK(good.config.sip_listen[1].origins ==
        std::vector<std::string>{"https://phone.example", "http://[::1]:80"});
  CHECK(good.config.sip_connections_per_peer == 100);
  CHECK(read(R"({"listen": ["ws:127.0.0.1"], "connections_per_peer": 4096})")
            .config.sip_connections_per_peer == 4096);
  CHECK(errors(read(R"({"listen": ["ws:127.0.0.1"], "connections_per_peer": 0})"))
            .find("/sip/connections_per_peer") == 0);
  const auto warnings = config_warnings(good.config);
  REQUIRE(warnings.size() == 1);
  CHECK(warnings[0].pointer == "/sip/listen/0/origins");
  CHECK(warnings[0].message.find("127.0.0.1:80 takes connections of any page") !=
        std::string::npos);
  CHECK(
      errors(with(R"({"address": "ws:127.0.0.1", "origins": ["phone.example"]})")) ==
      "/sip/listen/0/origins/0: \"phone.example\" is no origin: scheme://host, and maybe :port\n");
  CHECK(errors(with(R"({"address": "tcp:127.0.0.1", "origins": ["https://a"]})")) ==
        "/sip/listen/0/origins: only WebSocket has origins\n");
  CHECK(errors(read(R"({"listen": ["wss:127.0.0.1"]})")) ==
        "/sip/listen/0: a listener for TLS needs \"certificate\" in /sip/tls\n");
  CHECK(errors(read(R"({"listen": ["http:127.0.0.1"]})"))
            .starts_with("/sip/listen/0: \"http:127.0.0.1\" is no listener"));
}

TEST_CASE("read_config: what is wrong with TLS is named with its file and its place (P-01)") {
  Certificates certificates;
  const auto files = certificates.issue("own", {"DNS:a.example"});
  const auto other = certificates.issue("other", {"DNS:a.example"});
  const std::string none = certificates.path("none.pem");
  const auto tls = [&](const std::string& certificate, const std::string& key,
                       const std::string& more = "") {
    return R"({"listen": ["tls:127.0.0.1"], "tls": {"certificate": ")" + certificate +
           R"(", "key": ")" + key + "\"" + more + "}}";
  };
  CHECK(errors(read(tls(files.certificate, files.key))) == "");
  CHECK(errors(read(tls(none, files.key)))
            .starts_with("/sip/tls/certificate: \"" + none + "\" had no usable certificate"));
  CHECK(errors(read(tls(files.certificate, none)))
            .starts_with("/sip/tls/key: \"" + none + "\" had no usable key"));
  CHECK(errors(read(tls(files.certificate, other.key))) ==
        "/sip/tls/key: \"" + other.key + "\" had the key of another certificate\n");
  CHECK(errors(read(tls(files.certificate, files.key, R"(, "ca": ")" + none + "\"")))
            .starts_with("/sip/tls/ca: \"" + none + "\" had no usable authority"));
  CHECK(errors(read(tls(files.certificate, files.key, R"(, "version_min": "1.1")")))
            .starts_with("/sip/tls/version_min: "));
  CHECK(errors(read(R"({"listen": ["tls:127.0.0.1"]})")).starts_with("/sip/listen/0: "));
  CHECK(errors(read(R"({"listen": [{"address": "udp:127.0.0.1", "client_certificate": "ask"}]})"))
            .starts_with("/sip/listen/0/client_certificate: only TLS"));
  CHECK(errors(read(R"({"listen": [{"address": "tls:127.0.0.1", "client_certificate": "ask"}],
                        "tls": {"certificate": ")" +
                    files.certificate + R"(", "key": ")" + files.key + "\"}}"))
            .starts_with("/sip/listen/0/client_certificate: needs \"ca\""));
  CHECK(errors(read(R"({"listen": ["udp:127.0.0.1"]})", R"({"transport": "tls"})"))
            .starts_with("/provision/vendor_gateways/0/sip/transport: needs a listener"));
}

TEST_CASE("read_config: what is asked by HTTPS, and how its keys go together (R-20, B-27)") {
  Certificates certificates;
  const auto files = certificates.issue("own", {"DNS:a.example"});
  const auto reading = [](const std::string& resolver, const std::string& peer) {
    return read_config(R"({"sip": {"listen": ["udp:127.0.0.1"]}, "provision": {
        "lrn_resolvers": [{"id": "r", "addresses": ["127.0.0.3"], )" +
                           resolver + R"(}], "vendor_gateways": [{"id": "v1",
        "addresses": ["127.0.0.2"], "reconciliation": {"address": "127.0.0.2:8443", "gateway": "g")" +
                           peer + "}}]}}",
                       ".");
  };
  const std::string all = R"("tls": true, "tls_name": "lrn.example", "tls_ca": ")" +
                          certificates.authority() + R"(", "tls_certificate": ")" +
                          files.certificate + R"(", "tls_key": ")" + files.key + '"';
  const auto good = reading(R"("kind": "http", )" + all, ", " + all);
  REQUIRE(errors(good) == "");
  const HttpsConfig expected{true, "lrn.example", certificates.authority(), files.certificate,
                             files.key};
  CHECK(good.config.provision.lrn_resolvers[0].https == expected);
  CHECK(good.config.provision.vendor_gateways[0].reconciliation->https == expected);
  CHECK_FALSE(reading(R"("kind": "http")", "").config.provision.lrn_resolvers[0].https.is_on);

  const std::string at_r = "/provision/lrn_resolvers/0";
  const std::string at_v = "/provision/vendor_gateways/0/reconciliation";
  CHECK(errors(reading(R"("kind": "sip302", "tls": true)", R"(, "tls_ca": "x.pem")")) ==
        at_v + "/tls_ca: \"x.pem\" counts with \"tls\" only\n" + at_r +
            "/tls: is for a resolver of kind http\n");
  CHECK(errors(reading(R"("kind": "http", "tls": true, "tls_name": "10.0.0.1")",
                       R"(, "tls": true, "tls_key": "k.pem")")) ==
        at_v + "/tls_key: \"k.pem\" came without tls_certificate\n" + at_r +
            "/tls_name: \"10.0.0.1\" is an address and no domain name\n");
  CHECK(errors(reading(R"("kind": "http", "tls": true, "tls_ca": "/none.pem")", ""))
            .starts_with(at_r + ": tls_ca: "));
}
