// The admin API over HTTP.
#include "tandem/admin.hpp"

#include "capi/config.hpp"
#include "capi/values.hpp"

using namespace tandem;
using namespace tandem::capi;

struct tandem_admin_server {
  AdminServer body;
};

extern "C" {

int tandem_admin_server_create(const tandem_config* config, tandem_switch* served,
                               tandem_admin_server** out) {
  return guarded([&]() -> int {
    TANDEM_CAPI_NOT_NULL(served);
    TANDEM_CAPI_NOT_NULL(out);
    const auto usable = usable_config(config);
    TANDEM_CAPI_TRY(usable);
    auto server = AdminServer::create(**usable, *served->body);
    TANDEM_CAPI_TRY(server);
    *out = new tandem_admin_server{std::move(*server)};
    return TANDEM_OK;
  });
}

int tandem_admin_server_address(const tandem_admin_server* server, tandem_address* out) {
  return guarded([&]() -> int {
    TANDEM_CAPI_NOT_NULL(server);
    TANDEM_CAPI_NOT_NULL(out);
    *out = to_c(server->body.address());
    return TANDEM_OK;
  });
}

void tandem_admin_server_destroy(tandem_admin_server* server) { delete server; }

}  // extern "C"
