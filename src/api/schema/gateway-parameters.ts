import { z } from 'zod';
import { apiVersion, specSchema } from './realm-relay.ts';
import { service } from './service.ts';

export const parametersKind = 'RealmGatewayParameters';
/** The resource's name in URLs. */
export const parametersPlural = 'realmgatewayparameters';

/**
 * What a Gateway does not say about its Pods and its Service, as the user writes it. Fields that choose who runs the Pods, with
 * which image or on which nodes are not among them: whoever may write Gateways would have them.
 */
export const gatewayParametersSchema = specSchema
  .pick({
    replicas: true,
    resources: true,
    logLevel: true,
    drainSeconds: true,
    updateStrategy: true,
    autoscaling: true,
    podDisruptionBudget: true,
  })
  .extend({
    service: service
      .omit({ enabled: true, nodePorts: true })
      .extend({
        type: service.shape.type.describe('Type of the Service. Default: LoadBalancer.'),
      })
      .optional()
      .describe('The Service in front of the relay Pods.'),
  });

/** The whole object, as the API server has it. */
export const gatewayParametersObject = z.looseObject({
  apiVersion: z.literal(apiVersion),
  kind: z.literal(parametersKind),
  spec: gatewayParametersSchema,
});

export type GatewayParametersSpec = z.infer<typeof gatewayParametersSchema>;
