import{createRequire as __createRequire}from'node:module';const require=__createRequire(import.meta.url);
import{buildWithCaches,main,planWithCaches,post}from"./chunk-MU2646H7.mjs";import"./chunk-PVR3SO7S.mjs";import"./chunk-FWBSCIZ7.mjs";import"./chunk-M2YQ7TCH.mjs";import"./chunk-2Z2CU6QK.mjs";export{buildWithCaches,main,planWithCaches,post};
