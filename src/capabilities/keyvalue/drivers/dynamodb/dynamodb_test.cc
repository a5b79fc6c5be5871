// Shows what of the DynamoDB driver is its own.
#include "capabilities/keyvalue/drivers/dynamodb/dynamodb.h"
