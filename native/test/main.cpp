// Runs all native tests, or those whose name contains the first argument.
#include "test/check.h"

int main(int argumentCount, char** arguments) { return mneme::test::runAll(argumentCount, arguments); }
