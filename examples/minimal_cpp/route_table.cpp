// Only the route table: which vendors for a number, best first.
#include <cstdio>

#include "tandem/route_table.hpp"

int main() {
  struct {
    const char* gateway;
    const char* prefix;
    int priority;
  } const vendors[] = {{"cheap", "44", 1}, {"good", "44", 2}, {"london", "4420", 1}};

  tandem::RouteTable::Builder builder;
  for (const auto& [gateway, prefix, priority] : vendors) {
    tandem::VendorRoute route;
    route.gateway = gateway;
    route.prefixes = {prefix};
    route.priority = priority;
    if (const auto added = builder.add(route); !added) {
      std::fprintf(stderr, "%s\n", added.error().message.c_str());
      return 1;
    }
  }
  const tandem::RouteTable routes = builder.build();

  tandem::RouteQuery query;
  query.called = "442079460000";
  for (const auto& candidate : routes.lookup(query))  // london, cheap, good
    std::printf("%.*s\n", static_cast<int>(candidate.gateway_name.size()),
                candidate.gateway_name.data());
}
