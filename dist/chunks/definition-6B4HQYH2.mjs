import{createRequire as __createRequire}from'node:module';const require=__createRequire(import.meta.url);
import{definition}from"./chunk-J3RT6OLH.mjs";import"./chunk-FWBSCIZ7.mjs";import"./chunk-M2YQ7TCH.mjs";import"./chunk-2Z2CU6QK.mjs";export{definition};
